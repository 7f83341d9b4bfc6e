use super::{Choice, OverrideError, Profile, ZeroPage};

#[test]
fn a_choice_is_overridden_by_name_or_not_at_all() {
    let mut policy = Profile::Linux6_12.policy();
    policy.set("zero-page", "pinned").unwrap();
    assert_eq!(policy.zero_page, ZeroPage::Pinned);
    let before = policy.clone();
    assert!(matches!(policy.set("zero-page", "maybe"), Err(OverrideError::UnknownValue { .. })));
    assert!(matches!(policy.set("nothing", "x"), Err(OverrideError::UnknownChoice(_))));
    assert_eq!(policy, before);
}

#[test]
fn every_row_can_be_set_to_what_it_says() {
    for profile in Profile::ALL {
        let mut policy = profile.policy();
        for row in policy.clone().rows() {
            policy.set(row.name, row.value).unwrap();
            assert!(!row.decides.is_empty() && !row.source.is_empty());
        }
        assert_eq!(policy, profile.policy());
        assert_eq!(profile.name().parse(), Ok(*profile));
    }
    assert!(ZeroPage::from_name("Pinned").is_none());
}
