//! A failure with its causes, as people read it.
//!
//! **Invariant:** a chain of causes has an end here, also when it is a circle.

use std::error::Error;
use std::iter::successors;

/// More causes than any error of this house has.
const CAUSES_MAX: usize = 8;

/// The failure and its causes in one line, for logs and reports.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let all = successors(Some(error), |it| (*it).source()).take(CAUSES_MAX + 1);
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The failure, its causes and what to do, a line each: how a program ends that could not do its work.
pub fn report(error: &(dyn Error + 'static), hint: &str) -> String {
    let causes = successors(error.source(), |it| (*it).source()).take(CAUSES_MAX);
    let hint = Some(hint).filter(|it| !it.is_empty());
    let lines = std::iter::once(format!("error: {error}\n"))
        .chain(causes.map(|it| format!("caused by: {it}\n")))
        .chain(hint.map(|it| format!("hint: {it}\n")));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Layer(u32, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "layer {}", self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|it| it as &dyn Error)
        }
    }

    #[test]
    fn causes_come_in_order_and_end() {
        let two = Layer(1, Some(Box::new(Layer(2, None))));
        assert_eq!(chain(&two), "layer 1: layer 2");
        assert_eq!(report(&two, "do"), "error: layer 1\ncaused by: layer 2\nhint: do\n");
        assert_eq!(report(&Layer(1, None), ""), "error: layer 1\n");
        let deep = (0..50).fold(Layer(0, None), |inner, at| Layer(at, Some(Box::new(inner))));
        assert_eq!(chain(&deep).split(": ").count(), CAUSES_MAX + 1);
        assert_eq!(report(&deep, "").lines().count(), CAUSES_MAX + 1);
    }
}
