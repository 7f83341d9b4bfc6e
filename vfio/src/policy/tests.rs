use super::{Certainty, Choice, OverrideError, Profile, ZeroPage, choices};

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

#[test]
fn the_table_begins_with_the_oldest_kernel_and_ascends() {
    let oldest = Profile::ALL[0];
    assert!(Profile::ALL.is_sorted());
    for choice in choices() {
        assert_eq!(choice.steps[0].since, oldest, "{}", choice.name);
        assert!(choice.steps.is_sorted_by(|a, b| a.since < b.since), "{}", choice.name);
        assert!(choice.values.len() > 1, "{} has nothing to choose from", choice.name);
        for value in &choice.values {
            assert!(value.means.ends_with('.'), "{}={}", choice.name, value.name);
            assert_eq!(choice.value(value.name), Some(*value));
        }
    }
}

#[test]
fn only_recorded_kernels_are_called_measured() {
    let recorded = [Profile::Linux6_1, Profile::Linux6_12];
    for choice in choices() {
        for &profile in Profile::ALL {
            let measured = choice.of(profile).certainty == Certainty::Measured;
            assert!(!measured || recorded.contains(&profile), "{} in {profile}", choice.name);
        }
    }
}

#[test]
fn a_kernel_has_its_own_profile_or_the_last_before_it() {
    let of = |major, minor| {
        let profile = Profile::of_kernel(major, minor)?;
        Some((profile.name(), profile.is_of_kernel(major, minor)))
    };
    assert_eq!(of(6, 1), Some(("linux-6.1", true)));
    assert_eq!(of(6, 12), Some(("linux-6.12", true)));
    assert_eq!(of(4, 11), Some(("linux-4.11", true)));
    assert_eq!(of(6, 6), Some(("linux-6.1", false)));
    assert_eq!(of(6, 18), Some(("linux-6.12", false)));
    assert_eq!(of(4, 9), Some(("linux-4.6", false)));
    assert_eq!(of(7, 4), Some(("linux-7.2", false)));
    for (major, minor) in [(3, 16), (4, 5), (5, 10), (7, 1), (8, 0)] {
        assert_eq!(of(major, minor), None);
    }
}
