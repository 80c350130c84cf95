//! XML as tools write reports: elements and attributes, one after another.
//!
//! **Invariant:** nothing is fetched and no entity is expanded but XML's own five.
//! **Invariant:** a text that ends before its root does is no report.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::report::BadReport;

/// Suites within suites and packages within packages are some ten deep.
const DEPTH_MAX: usize = 64;

/// An element has some ten; each is compared with all before it, so their number must be small.
const ATTRIBUTES_MAX: usize = 64;

/// What stands next in a text.
pub(super) enum Step<'t> {
    /// An element begins.
    Open(Tag<'t>),
    /// The element at this depth ends; the root's is 1.
    Close(usize),
}

/// The beginning of an element.
pub(super) struct Tag<'t> {
    /// Its depth; the root's is 1.
    pub(super) depth: usize,
    start: &'t BytesStart<'t>,
}

impl Tag<'_> {
    /// Its name, without a namespace.
    pub(super) fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// The text of an attribute.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'_, str>>, String> {
        let mut found = None;
        for (number, attribute) in self.start.attributes().enumerate() {
            if number == ATTRIBUTES_MAX {
                return Err(format!("<{}> has more than {ATTRIBUTES_MAX} attributes", self.name()));
            }
            let attribute = attribute.map_err(|bad| format!("<{}>: {bad}", self.name()))?;
            if attribute.key.local_name().into_inner() == name {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                found = Some(value.map_err(|bad| format!("{name} of <{}>: {bad}", self.name()))?);
            }
        }
        Ok(found)
    }

    /// An attribute that counts something; an empty one counts nothing.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, String> {
        let text = self.text(name)?;
        let Some(text) = text.as_deref().map(str::trim).filter(|it| !it.is_empty()) else {
            return Ok(None);
        };
        let wrong = || format!("{name} of <{}> is {text:?}, not a count", self.name());
        text.parse().map(Some).map_err(|_| wrong())
    }
}

/// Goes through a text and shows each beginning and end of an element.
pub(super) fn walk(
    text: &str,
    mut see: impl FnMut(Step<'_>) -> Result<(), String>,
) -> Result<(), BadReport> {
    let mut reader = Reader::from_str(text);
    let (mut depth, mut roots) = (0, 0);
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(bad) => return Err(BadReport::at(text, reader.error_position(), bad.to_string())),
        };
        let at = |why: String| BadReport::at(text, reader.buffer_position(), why);
        match event {
            Event::Start(start) => {
                depth += 1;
                roots += usize::from(depth == 1);
                if depth > DEPTH_MAX {
                    return Err(at(format!("elements are nested deeper than {DEPTH_MAX}")));
                }
                see(Step::Open(Tag { depth, start: &start })).map_err(at)?;
            }
            Event::Empty(start) => {
                roots += usize::from(depth == 0);
                see(Step::Open(Tag { depth: depth + 1, start: &start })).map_err(at)?;
                see(Step::Close(depth + 1)).map_err(at)?;
            }
            Event::End(_) => {
                see(Step::Close(depth)).map_err(at)?;
                depth = depth.saturating_sub(1);
            }
            Event::Eof if depth > 0 => {
                return Err(at(format!("the text ends inside of {depth} elements")));
            }
            Event::Eof if roots != 1 => {
                return Err(at(format!("there are {roots} root elements, not one")));
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        let step = |step: Step<'_>| {
            if let Step::Open(tag) = step {
                let value = tag.text("a")?.unwrap_or_default().into_owned();
                names.push(format!("{}{}={value}", tag.name(), tag.depth));
            }
            Ok(())
        };
        walk(text, step).map_err(|bad| bad.to_string())?;
        Ok(names)
    }

    #[test]
    fn elements_come_in_order_with_their_depth_and_attributes() {
        let text = "<?xml version=\"1.0\"?><!DOCTYPE r SYSTEM \"http://x/y.dtd\">\n\
                    <r a=\"&lt;&amp;&#228;\"><x:b a='1' c='2'/><!-- <c/> --><![CDATA[<d/>]]></r>";
        assert_eq!(seen(text).unwrap(), ["r1=<&ä", "b2=1"]);
    }

    #[test]
    fn what_is_not_whole_or_asks_for_more_is_refused_with_its_line() {
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        let wide: Vec<_> = (0..65).map(|it| format!("a{it}=''")).collect();
        let wide = format!("<r {}/>", wide.join(" "));
        let bomb = "<!DOCTYPE r [<!ENTITY e \"1\">]>\n<r a=\"&e;\"/>";
        for (text, part) in [
            ("<r>\n<a>\n", "line 3: the text ends inside of 2 elements"),
            ("<r></a>", "line 1:"),
            ("<r a=1/>", "line 1:"),
            ("<r a='1' a='2'/>", "line 1:"),
            ("", "line 1: there are 0 root elements"),
            ("<a/><b/>", "line 1: there are 2 root elements"),
            (&wide, "<r> has more than 64 attributes"),
            (&deep, "nested deeper than 64"),
            (bomb, "line 2: a of <r>"),
        ] {
            let said = seen(text).unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
