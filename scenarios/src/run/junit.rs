//! Reports of scenarios as JUnit XML, for programs that show test results.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::files::ScenarioReport;
use crate::input_error::{Colour, InputError};

/// What came of one file.
pub type FileResult = Result<ScenarioReport, InputError>;

/// The report as XML. It holds no times: a run is a function of its input.
pub fn xml(results: &[FileResult]) -> String {
    let mut report = Report::new("passim");
    let mut suite = TestSuite::new("scenarios");
    for result in results {
        suite.add_test_case(case(result));
    }
    report.add_test_suite(suite);
    report.to_string().expect("a report of text and numbers is always written")
}

fn case(result: &FileResult) -> TestCase {
    match result {
        Ok(report) if report.agrees() => {
            TestCase::new(report.file.as_str(), TestCaseStatus::success())
        }
        Ok(report @ ScenarioReport { error: Some(error), .. }) => failed(error, &drawn(report)),
        Ok(report) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(match report.differences.len() {
                1 => "1 operation differs".to_owned(),
                count => format!("{count} operations differ"),
            });
            status.set_description(drawn(report));
            TestCase::new(report.file.as_str(), status)
        }
        Err(error) => failed(error, ""),
    }
}

/// What differs, one operation after the other.
fn drawn(report: &ScenarioReport) -> String {
    report.differences.iter().map(|it| it.render(Colour::Plain)).collect()
}

/// One that could not be run to its end; what differed before that is told as well.
fn failed(error: &InputError, drawn: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(error.to_string());
    if !drawn.is_empty() {
        status.set_description(drawn);
    }
    TestCase::new(error.path(), status)
}
