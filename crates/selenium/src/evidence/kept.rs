//! Lists the kept evidence for people: the facts of each record as text, and its picture. A record that somebody
//! changed, or that another version wrote, is listed as far as it can be read.

use std::io;
use std::path::Path;

use serde::Deserialize;
use vega_domain::evidence::{Fact, KeptEvidence};

use super::Element;
use super::folder::{self, EvidenceFolder};

/// The greatest length of a record that Vega writes, in bytes.
const LONGEST_RECORD: u64 = 256 * 1024;

/// All evidence in `folder`, the newest first. A missing folder gives an empty list.
pub(super) fn kept(folder: &Path) -> io::Result<Vec<KeptEvidence>> {
    let evidence = EvidenceFolder(folder);
    let stems = match evidence.stems() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        stems => stems?,
    };
    let all = stems.into_iter().filter_map(|(id, has_picture)| {
        let (at, api, reason) = folder::told_by(&id)?;
        let record = evidence.record_at(&id);
        Some(KeptEvidence {
            at,
            api,
            reason,
            has_picture,
            facts: facts(&record),
            record,
            id,
        })
    });
    Ok(all.collect())
}

/// The picture of this evidence, as PNG; `None` if there is none, or if no evidence has this id.
pub(super) fn picture_of(folder: &Path, id: &str) -> io::Result<Option<Vec<u8>>> {
    let Some(picture) = EvidenceFolder(folder).picture_of(id) else {
        return Ok(None);
    };
    match std::fs::read(picture) {
        Ok(png) => Ok(Some(png)),
        // It grew too old meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The parts of a record that are listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    detail: String,
    after_ms: u64,
    screens: Vec<Seen>,
    address: Option<String>,
    elements: Vec<Element>,
    screenshot_withheld: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Seen {
    screen: String,
    after_ms: u64,
}

fn facts(record: &Path) -> Vec<Fact> {
    let fact = |about, says: String| (!says.is_empty()).then_some(Fact { about, says });
    let told = match read(record) {
        Ok(told) => told,
        Err(error) => {
            let says = format!("it cannot be read: {error}");
            return fact("The record", says).into_iter().collect();
        }
    };
    let screens = told.screens.iter();
    let screens = screens.map(|seen| format!("{} after {}", seen.screen, seconds(seen.after_ms)));
    let elements = told.elements.iter().map(|element| match &element.id {
        Some(id) => format!("{}#{id}", element.tag),
        None => element.tag.clone(),
    });
    [
        fact("What was said", told.detail),
        fact("How long the sign-in took", seconds(told.after_ms)),
        fact("Screens", screens.collect::<Vec<_>>().join(", ")),
        fact("Address of the page", told.address.unwrap_or_default()),
        fact("Elements of the page", elements.collect::<Vec<_>>().join(", ")),
        fact(
            "Why there is no picture",
            told.screenshot_withheld.unwrap_or_default(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn read(record: &Path) -> io::Result<Told> {
    if record.metadata()?.len() > LONGEST_RECORD {
        return Err(io::Error::other("it is longer than any that Vega writes"));
    }
    Ok(serde_json::from_slice(&std::fs::read(record)?)?)
}

/// Seconds with one decimal.
fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;

    const NEWER: &str = "20261124T084501.123-PRIMARY-challenge";
    const OLDER: &str = "20261123T084501.123-OPTIONCHAIN1-blocked";

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        write(
            &format!("{NEWER}.json"),
            r#"{ "v": 1, "detail": "nobody came", "after_ms": 61250, "screen": "mobile", "later": true,
                "screens": [{ "screen": "unknown", "after_ms": 0 }, { "screen": "mobile", "after_ms": 1049 }],
                "address": "https://login.upstox.com/", "screenshot": null, "screenshot_withheld": "it holds text",
                "elements": [{ "tag": "input", "id": "mobileNum" }, { "tag": "form", "id": null }] }"#,
        );
        write(&format!("{OLDER}.json"), "half a rec");
        write(&format!("{OLDER}.png"), "picture");
        write("secret.png", "CANARY-secret");
        write("notes.json", "{}");
        folder
    }

    #[test]
    fn everything_that_is_kept_is_told_the_newest_first() {
        let folder = folder();
        let all = kept(folder.path()).unwrap();
        let ids: Vec<_> = all.iter().map(|kept| (&*kept.id, kept.has_picture)).collect();
        assert_eq!(ids, [(NEWER, false), (OLDER, true)]);
        assert_eq!(all[0].at.to_rfc3339(), "2026-11-24T03:15:01.123+00:00");
        assert_eq!((all[0].api.as_str(), &*all[0].reason), ("PRIMARY", "challenge"));
        assert_eq!(all[0].record, folder.path().join(format!("{NEWER}.json")));
        let told: Vec<_> = all[0]
            .facts
            .iter()
            .map(|fact| format!("{}: {}", fact.about, fact.says))
            .collect();
        assert_eq!(
            told,
            [
                "What was said: nobody came",
                "How long the sign-in took: 61.2 s",
                "Screens: unknown after 0.0 s, mobile after 1.0 s",
                "Address of the page: https://login.upstox.com/",
                "Elements of the page: input#mobileNum, form",
                "Why there is no picture: it holds text",
            ]
        );
        let unreadable = &all[1].facts;
        assert!(
            unreadable.len() == 1 && unreadable[0].says.contains("cannot be read"),
            "{unreadable:?}"
        );
        assert_eq!(kept(&folder.path().join("away")).unwrap(), []);
    }

    #[test]
    fn a_picture_is_had_by_the_id_of_its_evidence() {
        let folder = folder();
        assert_eq!(picture_of(folder.path(), OLDER).unwrap().unwrap(), b"picture");
        assert_eq!(picture_of(folder.path(), NEWER).unwrap(), None);
    }

    #[rstest]
    #[case("secret")]
    #[case("./20261123T084501.123-OPTIONCHAIN1-blocked")]
    #[case("../evidence/20261123T084501.123-OPTIONCHAIN1-blocked")]
    #[case("20261123T084501.123-OPTIONCHAIN1-blocked.png")]
    #[case("20261123T084501.123-OPTIONCHAIN1-blocked\0")]
    #[case("20261123T084501.123-../../x-blocked")]
    #[case("")]
    fn no_other_name_leads_to_a_file(#[case] id: &str) {
        assert_eq!(picture_of(folder().path(), id).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_folder_leads_nowhere() {
        let folder = folder();
        let id = "20261122T084501.123-PRIMARY-blocked";
        let link = folder.path().join(format!("{id}.png"));
        std::os::unix::fs::symlink(folder.path().join("secret.png"), link).unwrap();
        assert_eq!(picture_of(folder.path(), id).unwrap(), None);
    }
}
