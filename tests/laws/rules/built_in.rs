//! The built-in rules.

use anabranch::event::Payload;
use anabranch::resolver::{
    AddWinsSet, Counter, DocumentEdit, FieldEdit, FieldMerge, FirstWriteWins, LastWriteWins,
    Manual, ManualEdit, MultiValue, Rules, SetEdit,
};
use anabranch::testing::laws::{Alphabet, Suite};

use super::Sound;

fn values() -> Alphabet {
    Alphabet::of(&["a", "b"]).and(7).and(())
}

fn decisions() -> Vec<ManualEdit> {
    vec![
        Manual::write(&1).expect("a sound edit"),
        Manual::write(&2).expect("a sound edit"),
    ]
}

fn settled() -> Alphabet {
    Alphabet::of(&[Manual::resolution(&3).expect("a sound edit")])
        .and(Manual::resolution(&()).expect("a sound edit"))
}

fn elements() -> Alphabet {
    let edit = SetEdit::new;
    Alphabet::of(&[
        edit().add("a").expect("a sound edit"),
        edit().remove("a").expect("a sound edit"),
        edit()
            .add("b")
            .expect("a sound edit")
            .remove("a")
            .expect("a sound edit"),
        edit()
            .add("a")
            .expect("a sound edit")
            .add("b")
            .expect("a sound edit"),
    ])
}

fn fields() -> Alphabet {
    let edit = FieldEdit::new;
    Alphabet::of(&[
        edit().set(["a"], &1).expect("a sound edit"),
        edit().set(["a", "b"], &2).expect("a sound edit"),
        edit().set(["c"], &3).expect("a sound edit"),
        edit().remove(["a"]),
    ])
}

fn documents_by_rules() -> Rules {
    "sum=counter, set=add-wins-set, all=keep-all, man=manual, first=first-write"
        .parse()
        .expect("a sound edit")
}

fn documents() -> Alphabet {
    let edit = DocumentEdit::new;
    let edits = [
        edit().set(["title"], &1),
        edit().count(["sum"], 2),
        edit().add(["set"], &1),
        edit().discard(["set"], &1),
        edit().set(["all"], &1),
        edit().set(["man"], &1),
        edit().resolve(["man"], &2),
        edit().set(["first"], &1),
        Ok(edit().remove(["all"])),
    ];
    let edits: Vec<DocumentEdit> = edits
        .into_iter()
        .map(|edit| edit.expect("a sound edit"))
        .collect();
    Alphabet::of(&edits).and_payload(Payload::encode(&7).expect("a sound edit"))
}

/// All of them.
pub fn rules() -> Vec<Sound> {
    let sum = |steps: &[i64]| steps.iter().map(|step| i128::from(*step)).sum::<i128>();
    let steps = Alphabet::of(&[1, -7, i64::MAX]);
    vec![
        Sound::new("last_write_wins", Suite::new(LastWriteWins, values())),
        Sound::new("first_write_wins", Suite::new(FirstWriteWins, values())),
        Sound::new(
            "multi_value",
            Suite::new(MultiValue, values()).with_resolutions(values()),
        ),
        Sound::new("counter", Suite::new(Counter, steps).with_reducer(sum)),
        Sound::new(
            "manual",
            Suite::new(Manual, Alphabet::of(&decisions())).with_resolutions(settled()),
        ),
        Sound::new("add_wins_set", Suite::new(AddWinsSet, elements())),
        Sound::new("field_merge", Suite::new(FieldMerge, fields())),
        Sound::new(
            "documents_by_rules",
            Suite::new(documents_by_rules(), documents()),
        ),
    ]
}
