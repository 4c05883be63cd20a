//! Every built-in rule keeps every law.

use anabranch::event::Payload;
use anabranch::resolver::{
    AddWinsSet, Counter, DocumentEdit, FieldEdit, FieldMerge, FirstWriteWins, LastWriteWins,
    Manual, ManualEdit, MultiValue, Rules, SetEdit,
};
use anabranch::resolver_laws;
use anabranch::testing::laws::Alphabet;

fn values() -> Alphabet {
    Alphabet::of(&["a", "b"]).and(7).and(())
}

fn decisions() -> Vec<ManualEdit> {
    vec![Manual::write(&1).unwrap(), Manual::write(&2).unwrap()]
}

fn settled() -> Alphabet {
    Alphabet::of(&[Manual::resolution(&3).unwrap()]).and(Manual::resolution(&()).unwrap())
}

fn elements() -> Alphabet {
    let edit = SetEdit::new;
    Alphabet::of(&[
        edit().add("a").unwrap(),
        edit().remove("a").unwrap(),
        edit().add("b").unwrap().remove("a").unwrap(),
        edit().add("a").unwrap().add("b").unwrap(),
    ])
}

fn fields() -> Alphabet {
    let edit = FieldEdit::new;
    Alphabet::of(&[
        edit().set(["a"], &1).unwrap(),
        edit().set(["a", "b"], &2).unwrap(),
        edit().set(["c"], &3).unwrap(),
        edit().remove(["a"]),
    ])
}

fn rules() -> Rules {
    "sum=counter, set=add-wins-set, all=keep-all, man=manual, first=first-write"
        .parse()
        .unwrap()
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
    let edits: Vec<DocumentEdit> = edits.into_iter().map(Result::unwrap).collect();
    Alphabet::of(&edits).and_payload(Payload::encode(&7).unwrap())
}

resolver_laws!(last_write_wins, LastWriteWins, values());
resolver_laws!(first_write_wins, FirstWriteWins, values());
resolver_laws!(multi_value, MultiValue, values(); |suite| suite.with_resolutions(values()));
resolver_laws!(counter, Counter, Alphabet::of(&[1, -7, i64::MAX]); |suite| {
    suite.with_reducer(|steps: &[i64]| steps.iter().map(|step| i128::from(*step)).sum::<i128>())
});
resolver_laws!(manual, Manual, Alphabet::of(&decisions()); |suite| suite.with_resolutions(settled()));
resolver_laws!(add_wins_set, AddWinsSet, elements());
resolver_laws!(field_merge, FieldMerge, fields());
resolver_laws!(documents_by_rules, rules(), documents());
