use super::{boolean, number, unsigned};
use passim_model::Errno;

/// 6.12 kstrtobool: only the deciding letters are read.
#[test]
fn booleans_are_read_by_their_first_letters() {
    for text in ["y", "Y\n", "yes", "t", "True", "1", "10", "on", "ON", "only"] {
        assert_eq!(boolean(text), Ok(true), "{text:?}");
    }
    for text in ["n", "N\n", "no", "f", "False", "0", "01", "off", "Of"] {
        assert_eq!(boolean(text), Ok(false), "{text:?}");
    }
    for text in ["", "\n", "o", "ok", " y", "2", "-1"] {
        assert_eq!(boolean(text).map_err(|refusal| refusal.errno), Err(Errno::EINVAL), "{text:?}");
    }
}

/// 6.12 kstrtouint.
#[test]
fn numbers_are_read_as_in_c() {
    let cases = [("0", 0), ("65535\n", 65535), ("+7", 7), ("010", 8), ("0x10", 16), ("0XfF", 255)];
    for (text, number) in cases {
        assert_eq!(unsigned(text), Ok(number), "{text:?}");
    }
    let refused = |text| unsigned(text).map_err(|refusal| refusal.errno);
    for text in ["", "\n", "-1", " 1", "1\n\n", "++1", "0x", "0x+5", "08", "1k"] {
        assert_eq!(refused(text), Err(Errno::EINVAL), "{text:?}");
    }
    assert_eq!(refused("4294967295"), Ok(u32::MAX));
    assert_eq!(refused("4294967296"), Err(Errno::ERANGE));
    assert_eq!(number("0xffffffffffffffff"), Ok(u64::MAX));
    assert_eq!(number("0x10000000000000000").map_err(|it| it.errno), Err(Errno::ERANGE));
}
