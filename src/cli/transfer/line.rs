use std::collections::BTreeMap;

use anabranch::event::{
    ChainTag, Commit, CommitSpan, Event, EventId, EventParts, Head, Heads, Metadata, Payload,
    ReplicaId, Seq, Timestamp,
};
use anabranch::protocol::Lineage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::json::{from_cbor, hexadecimal};

/// The form of the lines that this version writes and reads.
pub(super) const FORMAT: u32 = 1;

/// One line of an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line {
    Log(LogLine),
    Commit(CommitLine),
    End(EndLine),
}

/// Where the commits come from; the first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLine {
    pub(super) format: u32,
    lineage: String,
    pub(super) shared: bool,
    /// What the export is limited to; nothing if it is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) only: Vec<String>,
}

/// How many there were; the last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) commits: u64,
    pub(super) events: u64,
}

/// One commit, whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommitLine {
    replica: String,
    seq: u64,
    timestamp: String,
    written_ms: u64,
    events: Vec<EventLine>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine {
    aggregate: String,
    #[serde(rename = "type")]
    event_type: String,
    /// The content, where JSON gives its bytes back exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    /// The content in hexadecimal, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cbor: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    heads: Vec<HeadLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    id: String,
    tag: u16,
}

impl LogLine {
    pub(super) fn new(lineage: Lineage, shared: bool, only: &[String]) -> Self {
        Self {
            format: FORMAT,
            lineage: lineage.to_string(),
            shared,
            only: only.to_vec(),
        }
    }

    pub(super) fn lineage(&self) -> Result<Lineage, String> {
        u128::from_str_radix(&self.lineage, 16)
            .map(Lineage::from_bits)
            .map_err(|_| String::from("the lineage is not 32 hexadecimal digits"))
    }
}

impl CommitLine {
    pub(super) fn of(commit: &Commit) -> Self {
        Self {
            replica: commit.replica().to_string(),
            seq: commit.span().first().get(),
            timestamp: commit.timestamp().to_string(),
            written_ms: commit.events().first().map_or(0, Event::written_ms),
            events: commit.events().iter().map(EventLine::of).collect(),
        }
    }

    /// The commit that the line was made of, or what is wrong with it.
    pub(super) fn commit(&self) -> Result<Commit, String> {
        let replica: ReplicaId = self.replica.parse().map_err(told)?;
        let first = Seq::new(self.seq).ok_or("seqs begin at 1")?;
        let span = CommitSpan::new(first, self.events.len()).map_err(told)?;
        let timestamp = timestamp(&self.timestamp)?;
        let mut events = Vec::with_capacity(self.events.len());
        let mut seq = Some(first);
        for line in &self.events {
            let id = EventId::new(replica, seq.ok_or("there is no seq left")?);
            let event = line.event(id, span, timestamp, self.written_ms);
            events.push(event.map_err(|why| format!("event {id}: {why}"))?);
            seq = id.seq.next();
        }
        Commit::new(events).map_err(told)
    }
}

impl EventLine {
    fn of(event: &Event) -> Self {
        let payload = exact_json(event.payload());
        let cbor = payload
            .is_none()
            .then(|| hexadecimal(event.payload().as_bytes()));
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let head = |head: &Head| HeadLine {
            id: head.id.to_string(),
            tag: head.tag.to_bits(),
        };
        Self {
            aggregate: event.aggregate().to_string(),
            event_type: event.event_type().to_string(),
            payload,
            cbor,
            meta: event.metadata().iter().map(owned).collect(),
            heads: event.heads().iter().map(head).collect(),
            replaces: event.replaces().map(|id| id.to_string()),
            digest: event.digest().to_string(),
        }
    }

    fn event(
        &self,
        id: EventId,
        commit: CommitSpan,
        timestamp: Timestamp,
        written_ms: u64,
    ) -> Result<Event, String> {
        let mut metadata = Metadata::new();
        for (key, value) in &self.meta {
            metadata.insert(key, value).map_err(told)?;
        }
        let head = |line: &HeadLine| {
            let id = line.id.parse().map_err(told)?;
            let tag = ChainTag::from_bits(line.tag);
            Ok(Head { id, tag })
        };
        let heads = self.heads.iter().map(head).collect::<Result<_, String>>()?;
        let replaces = self.replaces.as_deref().map(str::parse).transpose();
        let event = Event::assemble(EventParts {
            id,
            commit,
            timestamp,
            written_ms,
            aggregate: self.aggregate.parse().map_err(told)?,
            event_type: self.event_type.parse().map_err(told)?,
            heads: Heads::new(heads).map_err(told)?,
            replaces: replaces.map_err(told)?,
            metadata,
            payload: self.content()?,
        })
        .map_err(told)?;
        let digest = event.digest().to_string();
        if digest != self.digest {
            return Err(format!(
                "its digest is {digest}, not {}: the line was changed",
                self.digest
            ));
        }
        Ok(event)
    }

    fn content(&self) -> Result<Payload, String> {
        match (&self.payload, &self.cbor) {
            (Some(json), None) => Payload::encode(json).map_err(told),
            (None, Some(digits)) => {
                let bytes = bytes(digits).ok_or("its cbor is not hexadecimal")?;
                Payload::from_bytes(bytes.into()).map_err(told)
            }
            _ => Err("it has one of payload and cbor".into()),
        }
    }
}

/// The payload as JSON, if reading that again gives the same bytes.
fn exact_json(payload: &Payload) -> Option<Value> {
    let json = from_cbor(payload.decode().ok()?);
    if json.is_null() {
        // An absent field and one that is null are read alike.
        return None;
    }
    let again: Value = serde_json::from_str(&json.to_string()).ok()?;
    (Payload::encode(&again).ok()? == *payload).then_some(json)
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    let parsed = text.split_once('+').and_then(|(millis, logic)| {
        let (millis, logic): (u64, u16) = (millis.parse().ok()?, logic.parse().ok()?);
        (millis >> 48 == 0).then_some(Timestamp::from_bits((millis << 16) | u64::from(logic)))
    });
    parsed.ok_or_else(|| format!("{text:?} is no timestamp: write milliseconds+logic"))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair)
            .ok()
            .filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(payloads: &[&[u8]]) -> Commit {
        let replica = ReplicaId::new(7, 9);
        let first = Seq::new(3).unwrap();
        let span = CommitSpan::new(first, payloads.len()).unwrap();
        let mut metadata = Metadata::new();
        metadata.insert("by", "ada\u{1b}\u{202e}\n").unwrap();
        let event = |(n, payload): (u64, &&[u8])| {
            let head = |replica, seq| Head {
                id: EventId::new(replica, Seq::new(seq).unwrap()),
                tag: ChainTag::from_bits(0xfffe),
            };
            Event::assemble(EventParts {
                id: EventId::new(replica, Seq::new(3 + n).unwrap()),
                commit: span,
                timestamp: Timestamp::from_bits((1_700_000_000_123 << 16) | 5),
                written_ms: u64::MAX,
                aggregate: "note/a \u{e4}/b".parse().unwrap(),
                event_type: "edited".parse().unwrap(),
                heads: Heads::new(vec![head(replica, 2), head(ReplicaId::new(1, 2), 1)]).unwrap(),
                replaces: Some(EventId::new(ReplicaId::new(7, 1), Seq::FIRST)),
                metadata: metadata.clone(),
                payload: Payload::from_bytes(payload.to_vec().into()).unwrap(),
            })
            .unwrap()
        };
        Commit::new((0..).zip(payloads).map(event).collect()).unwrap()
    }

    fn again(commit: &Commit) -> (String, Commit) {
        let text = serde_json::to_string(&Line::Commit(CommitLine::of(commit))).unwrap();
        let text = super::super::super::text::escaped_json_text(&text);
        match serde_json::from_str(&text).unwrap() {
            Line::Commit(line) => (text, line.commit().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_json_cannot_say_travels_as_bytes_and_all_comes_back() {
        let encoded = |json: &str| {
            let value: Value = serde_json::from_str(json).unwrap();
            Payload::encode(&value).unwrap().as_bytes().to_vec()
        };
        let spoken = [
            "0",
            "-5",
            "18446744073709551615",
            "1.5",
            "0.1",
            "1e300",
            "\"text\"",
            "\"h'00ff'\"",
            r#"{"b":[true,null,{"c":"\u001b"}],"aa":-1,"":{}}"#,
        ];
        for json in spoken {
            let commit = commit(&[&encoded(json)]);
            let (text, back) = again(&commit);
            assert_eq!(back, commit, "{text}");
            assert!(
                text.contains("\"payload\"") && !text.contains("cbor"),
                "{text}"
            );
        }
        let unspoken: [&[u8]; 9] = [
            &[0xf6],                               // null
            &[0x42, 0x00, 0xff],                   // bytes
            &[0xa1, 0x01, 0x02],                   // a key that is no text
            &[0xc1, 0x05],                         // a tag
            &[0x18, 0x05],                         // a number longer than it need be
            &[0xf9, 0x7e, 0x00],                   // not a number
            &[0xa2, 0x61, b'b', 1, 0x61, b'a', 2], // keys in another order
            &[],                                   // nothing
            &[0xff, 0x00],                         // no CBOR
        ];
        for bytes in unspoken {
            let commit = commit(&[bytes]);
            let (text, back) = again(&commit);
            assert_eq!(back, commit, "{text}");
            assert!(
                text.contains("\"cbor\"") && !text.contains("payload"),
                "{text}"
            );
        }
        let three = commit(&[&[0x01], &[0xf6], &[0x61, b'x']]);
        let (text, back) = again(&three);
        assert_eq!(back, three);
        assert!(
            text.chars().all(|c| !c.is_control() && c != '\u{202e}'),
            "{text}"
        );
    }

    #[test]
    fn a_changed_line_is_told() {
        let (text, _) = again(&commit(&[&[0x01]]));
        for (from, to, why) in [
            ("\"payload\":1", "\"payload\":2", "the line was changed"),
            (
                "\"payload\":1",
                "\"payload\":null",
                "one of payload and cbor",
            ),
            ("\"payload\":1", "\"cbor\":\"f\"", "not hexadecimal"),
            ("\"seq\":3", "\"seq\":0", "seqs begin at 1"),
            ("\"seq\":3", "\"seq\":4", "the line was changed"),
            ("\"tag\":65534", "\"tag\":1", "the line was changed"),
            ("note/a ", "note//a ", "empty segment"),
            ("+5\"", "+x\"", "is no timestamp"),
        ] {
            assert!(text.contains(from), "{from} is in {text}");
            let Line::Commit(line) = serde_json::from_str(&text.replace(from, to)).unwrap() else {
                panic!("still a commit");
            };
            let said = line.commit().unwrap_err();
            assert!(said.contains(why), "{to}: {said}");
        }
        for unknown in [
            text.replace("\"seq\":3", "\"seq\":3,\"more\":1"),
            text.replace("\"kind\":\"commit\"", "\"kind\":\"other\""),
        ] {
            assert!(serde_json::from_str::<Line>(&unknown).is_err());
        }
    }
}
