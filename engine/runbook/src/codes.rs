//! Every code that a finding can carry. Each has a page in `docs/errors/`, and a test that says so.

/// A code and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `CF0102`.
    pub id: &'static str,
    /// A short title, the same as its page's.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal $title:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $id;)*

        /// All of them, in order.
        pub const ALL: &[Code] = &[$(Code { id: $id, title: $title }),*];
    };
}

codes! {
    SYNTAX = "CF0001" "not valid TOML";
    DUPLICATE_KEY = "CF0002" "a key is given twice";
    TOO_LARGE = "CF0003" "the file is too large";
    NOT_UTF8 = "CF0004" "the file is not UTF-8 text";
    TOO_DEEP = "CF0005" "nested too deeply";
    SCHEMA_MISSING = "CF0006" "the format version is missing";
    SCHEMA_UNKNOWN = "CF0007" "the format version is not known here";
    UNKNOWN_KEY = "CF0010" "a key that does not exist";
    WRONG_TYPE = "CF0011" "a value of the wrong type";
    MISSING_KEY = "CF0012" "a required key is missing";
    BAD_VALUE = "CF0013" "a value that is not allowed here";
    BAD_DURATION = "CF0014" "not a duration";
    BAD_SIZE = "CF0015" "not a size";
    BAD_NAME = "CF0016" "a name with characters that are not allowed";
    MISPLACED_KEY = "CF0017" "a key that means nothing here";
    NOT_AVAILABLE = "CF0020" "not available in this version";
    UNKNOWN_TYPE = "CF0101" "a step type that does not exist";
    UNKNOWN_NEED = "CF0102" "a step needs one that does not exist";
    NEEDS_ITSELF = "CF0103" "a step needs itself";
    CYCLE = "CF0104" "steps wait for one another";
    NEEDS_ACROSS = "CF0105" "`needs` between the steps and the `finally` steps";
    NEEDS_TWICE = "CF0106" "a step is needed twice";
    ID_TWICE = "CF0107" "a step and a `finally` step with the same id";
    NO_STEPS = "CF0108" "no steps";
    TEMPLATE_SYNTAX = "CF0201" "a template that cannot be read";
    CEL_SYNTAX = "CF0202" "a condition that cannot be read";
    UNKNOWN_ROOT = "CF0203" "a name that means nothing";
    NOT_ANCESTOR = "CF0204" "an output of a step that is not waited for";
    UNKNOWN_STEP = "CF0205" "an expression names a step that does not exist";
    UNKNOWN_FIELD = "CF0206" "a field that is not there";
    UNKNOWN_INPUT = "CF0207" "an input that is not declared";
    UNKNOWN_HELPER = "CF0208" "a helper or function that does not exist";
    OUT_OF_SCOPE = "CF0209" "a name that is not in scope here";
    ENV_NOT_LISTED = "CF0210" "an environment variable that is not listed";
    UNKNOWN_TARGET_FIELD = "CF0211" "the target has no such field";
    TOO_COMPLEX = "CF0212" "an expression that is too long or too deep";
    NOT_ONE_REFERENCE = "CF0213" "not exactly one reference";
    NOT_KNOWN_NOW = "CF0214" "a value that must be known before the run";
    LAXER_EFFECT = "CF0301" "an effect laxer than the type's own";
    NO_PROBE = "CF0302" "a `probe` effect without a probe";
    UNTIL_NOT_READ = "CF0303" "`until` on a step that changes something";
    KEYS_NOT_UNIQUE = "CF0304" "instances with the same key";
    NO_UNDO = "CF0305" "a type that cannot undo by itself";
    SECRET_EXPOSED = "CF0306" "a secret where others can see it";
    SECRET_STORED = "CF0307" "a secret where it would be stored";
    NOT_A_READ = "CF0308" "a probe that changes something";
    PARAMETERS = "CF0309" "parameters that do not go together";
    BY_PERSON = "CF0310" "a key that a person's step cannot have";
    INPUT_MISSING = "CF0401" "an input has no value";
    INPUT_BAD = "CF0402" "an input's value is not allowed";
    INPUT_UNKNOWN = "CF0403" "a value for an input that does not exist";
    SECRET_GIVEN = "CF0404" "a secret on the command line";
    SECRET_SOURCE = "CF0405" "where a secret comes from";
    INPUT_DEFAULT = "CF0406" "a default that the input itself refuses";
    BAD_PATTERN = "CF0407" "a pattern that cannot be read";
    ENV_NOT_SET = "CF0408" "an environment variable is not set";
    OPTION_UNKNOWN = "CF0501" "an option names no step and no tag";
    NOTHING_LEFT = "CF0502" "the options leave no step";
    OPTION_BAD = "CF0503" "an option's value is not allowed";
    TARGET_KIND = "CF0601" "a kind of target that does not exist";
    BINDING = "CF0602" "a binding that cannot work";
}
