//! The manual of the scenario language: every operation, its arguments, and the names of fields.

use passim_smmu::v3::names::{CD, COMMANDS, L1CD, L1STD, REGISTERS, STE, Structure};

use crate::op::{Argument, Form, Op, Verb};

/// The manual of the language, as `passim run --help` prints it.
pub(super) fn manual() -> String {
    let mut manual = "\
Operations of a scenario, one a line; what happened stands below, indented by two spaces. Numbers
are 4096, 0x1000 or 4K, user addresses also A+0x1000, devices 00:01.0. A value with a space or a
quotation mark stands in quotation marks. What is in brackets may be left out.
"
    .to_owned();
    for verb in Op::verbs() {
        operation(&mut manual, verb);
    }
    manual.push_str("\nMachines: `passim machines` lists them. Profiles: `passim profiles`.\n");
    let registers: Vec<_> = REGISTERS.iter().map(|register| register.name).collect();
    manual.push_str(&format!("\nRegisters of an SMMUv3: {}\n", registers.join(" ")));
    manual.push_str("\nFields of structures and commands, as keys:\n");
    for structure in [&L1STD, &STE, &L1CD, &CD].into_iter().chain(commands()) {
        let keys: Vec<_> = structure.fields().map(|field| key(field.name)).collect();
        let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(" ") };
        manual.push_str(&format!("  {}: {keys}\n", structure.name));
    }
    manual
}

fn commands() -> impl Iterator<Item = &'static Structure> {
    COMMANDS.iter().map(|command| &command.structure)
}

/// The key of a field in a scenario.
fn key(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "")
}

fn operation(manual: &mut String, verb: &Verb) {
    manual.push_str("\n  ");
    manual.push_str(verb.name);
    for argument in verb.arguments {
        manual.push(' ');
        manual.push_str(&form(argument));
    }
    manual.push_str("\n      ");
    manual.push_str(verb.does.trim_start());
    for argument in verb.arguments {
        let takes = match argument.takes {
            "" => "fields by their names",
            takes => takes,
        };
        let (form, does) = (form(argument), argument.does.trim());
        manual.push_str(&format!("\n        {form}  {does} Takes {takes}."));
    }
    manual.push('\n');
}

fn form(argument: &Argument) -> String {
    let key = argument.key;
    match argument.form {
        Form::Word => format!("<{key}>"),
        Form::Required => format!("{key}="),
        Form::Optional => format!("[{key}=]"),
        Form::Fields => format!("[{key}=]..."),
    }
}
