//! The report for the incident ticket.
