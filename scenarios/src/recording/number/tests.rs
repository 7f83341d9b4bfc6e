use passim_model::{Iova, Rid};
use serde::Deserialize;

use super::{address, bytes, hexadecimal, optional_address, rid, unsigned, wrapping};

#[derive(Deserialize, PartialEq, Debug)]
struct Fields {
    #[serde(deserialize_with = "unsigned")]
    narrow: u8,
    #[serde(deserialize_with = "wrapping")]
    wide: u64,
    #[serde(deserialize_with = "address")]
    iova: Iova,
    #[serde(deserialize_with = "optional_address")]
    maybe: Option<Iova>,
    #[serde(deserialize_with = "bytes")]
    bytes: Vec<u8>,
    #[serde(deserialize_with = "rid")]
    dev: Rid,
}

fn fields(narrow: &str, wide: &str, dev: &str) -> Result<Fields, serde_json::Error> {
    serde_json::from_str(&format!(
        r#"{{"narrow":{narrow},"wide":{wide},"iova":"0xffffffffffffffff","maybe":null,"bytes":"00ff","dev":{dev}}}"#
    ))
}

#[test]
fn quotes_make_a_number_hexadecimal() {
    let read = fields("\"10\"", "-1", "\"0000:02:02.0\"").unwrap();
    let expected = Fields {
        narrow: 16,
        wide: u64::MAX,
        iova: Iova::new(u64::MAX),
        maybe: None,
        bytes: vec![0, 0xff],
        dev: Rid::from_bdf(2, 2, 0).unwrap(),
    };
    assert_eq!(read, expected);
    assert_eq!(fields("10", "0", "\"02:02.0\"").unwrap().narrow, 10);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    for narrow in ["256", "-1", "1.5", "\"0x100\"", "\"\"", "\"+1\"", "true", "null"] {
        assert!(fields(narrow, "0", "\"02:02.0\"").is_err(), "{narrow}");
    }
    let error = fields("300", "0", "\"02:02.0\"").unwrap_err().to_string();
    assert!(
        error.starts_with("invalid value: integer `300`, expected an unsigned number of 8 bits")
    );
}

#[test]
fn hexadecimal_takes_digits_only() {
    assert_eq!(hexadecimal("0x1F"), Some(31));
    assert_eq!(hexadecimal("1f"), Some(31));
    for text in ["", "0x", "-1", "0x-1", "g", "10000000000000000"] {
        assert_eq!(hexadecimal(text), None, "{text}");
    }
}
