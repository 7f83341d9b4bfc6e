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
        Ok(ScenarioReport { error: Some(error), .. }) => failed(error),
        Ok(report) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let drawn: String =
                report.differences.iter().map(|it| it.render(Colour::Plain)).collect();
            status.set_message(format!("{} operations differ", report.differences.len()));
            status.set_description(drawn);
            TestCase::new(report.file.as_str(), status)
        }
        Err(error) => failed(error),
    }
}

fn failed(error: &InputError) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(error.to_string());
    TestCase::new(error.path(), status)
}
