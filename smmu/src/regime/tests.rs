use super::*;

#[test]
fn limits_remove_what_they_say() {
    let all = Perms::all();
    let none = PermissionLimits::default();
    assert_eq!(none.apply(all, all), (all, all));
    let wxn = PermissionLimits { write_implies_never_execute: true, ..none };
    assert_eq!(wxn.apply(all, Perms::READ | Perms::EXEC).0, Perms::READ | Perms::WRITE);
    assert_eq!(wxn.apply(all, Perms::READ | Perms::EXEC).1, Perms::READ | Perms::EXEC);
    let uwxn = PermissionLimits { unprivileged_write_implies_never_execute: true, ..none };
    assert_eq!(uwxn.apply(all, all), (all, Perms::READ | Perms::WRITE));
    let pan = PermissionLimits { privileged_access_never: true, ..none };
    assert_eq!(pan.apply(Perms::READ, all), (Perms::READ, Perms::EXEC));
    assert_eq!(pan.apply(Perms::EXEC, all), (Perms::EXEC, all));
    let epan = PermissionLimits { execution_counts_for_pan: true, ..pan };
    assert_eq!(epan.apply(Perms::EXEC, all), (Perms::EXEC, Perms::EXEC));
}

#[test]
fn big_endian_words_are_turned_around() {
    assert_eq!(Endian::Little.read(0x1122), 0x1122);
    assert_eq!(Endian::Big.read(0x0100_0000_0000_0203), 0x0302_0000_0000_0001);
}
