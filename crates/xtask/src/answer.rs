//! What a command answers, on standard output. A reader that stops early (`| head`) is no error.

use std::fmt;
use std::io::Write as _;

pub(crate) fn line(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

macro_rules! answer {
    () => { $crate::answer::line(format_args!("")) };
    ($($text:tt)*) => { $crate::answer::line(format_args!($($text)*)) };
}
pub(crate) use answer;
