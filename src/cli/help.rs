//! Texts of `--help` that are more than a line: examples come first.

pub(super) const TEMPLATE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}
";

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done; also when a watch, a tail or a hub was asked to stop
  1  failed
  2  the command line, or a line of stdin, cannot be understood; nothing of it was written
  3  refused by a rule, or by the peer
  4  the data directory is in use, damaged, absent or something else
  5  no connection
  6  verify found what is not as it was written";

pub(super) const TOP: &str = "\
Examples:
  anabranch demo                                    what this is about, in seconds
  anabranch record note/1 --set title=Milk          write, offline
  anabranch state note/1                            read
  anabranch explain note/1                          why it is what it is
  anabranch sync ws://127.0.0.1:7171                exchange with a hub, once

A hub and two people, in three terminals:
  anabranch serve --data hub
  anabranch watch --record --data ada --connect ws://127.0.0.1:7171
  anabranch watch --record --data ben --connect ws://127.0.0.1:7171
Then type in the second or the third, with the hub running or stopped:
  note/1 title=Milk amount=2
";

pub(super) const DEMO: &str = "\
Examples:
  anabranch demo
  anabranch demo --json
  anabranch demo --keep     leaves the data, so that you can look at it with state and tail

Starts a hub and three replicas, each a process with its own disk store, over WebSockets. They
part, edit the same aggregates under six rules, one of them is killed while it writes, they meet
again, and a person decides what the rules leave open. Ends with an explanation, as `explain` gives
it. Fails unless all four end with the same states and nothing acknowledged was lost.
";

pub(super) const SERVE: &str = "\
Examples:
  anabranch serve --data hub
  anabranch serve --data hub --listen 0.0.0.0:7171 --rule setting=last-write-wins
  anabranch serve --data hub2 --listen 127.0.0.1:7272 --connect ws://127.0.0.1:7171

Replicas connect to ws://HOST:PORT/sync; /healthz and /readyz answer over HTTP. SIGTERM and SIGINT
stop it: what was taken is fsynced, peers are told, exit code 0. There is no TLS and no login here:
put a proxy before it, or listen on this machine only.
";

pub(super) const RECORD: &str = "\
Examples:
  anabranch record note/1 --set title=Milk --set price.eur=1.2 --remove draft
  anabranch record note/1 created --fields '{\"title\":\"Milk\",\"tags\":[\"food\"]}' --meta by=ada
  anabranch record setting/theme chosen '\"dark\"' --rule setting=last-write-wins
  anabranch record toy/1 --add tags=new --rule 'toy=rules(tags=add-wins-set,*=manual)'
  anabranch record note/1 --set title=Milk --hub ws://127.0.0.1:7171
  anabranch record - --data ada --connect ws://127.0.0.1:7171 < events

Answers when the event is fsynced here; with --hub, when the hub has it fsynced. With `-`, each line
of stdin is one event, in one of the forms below. Lines are written many at a time, those of one
aggregate in their order, and answered in their order:
  {\"aggregate\":\"note/1\",\"type\":\"created\",\"payload\":{\"set\":{\"title\":\"Milk\"}},\"meta\":{\"by\":\"ada\"}}
  {\"aggregate\":\"note/1\",\"fields\":{\"title\":\"Milk\"},\"remove\":[\"draft\"]}
  note/1 title=Milk label=\"two words\"
  setting/theme chosen \"dark\"
";

pub(super) const STATE: &str = "\
Examples:
  anabranch state                                   all aggregates of ./anabranch-data
  anabranch state note/1 --data ada                 one, with its rule, digest and rejections
  anabranch state note --hub ws://127.0.0.1:7171    all notes of a hub
";

pub(super) const WATCH: &str = "\
Examples:
  anabranch watch --data ben --connect ws://127.0.0.1:7171
  anabranch watch note --hub ws://127.0.0.1:7171
  anabranch watch --record --data ada --connect ws://127.0.0.1:7171

Shows the states, then each that changes, until it is interrupted. Comes back by itself when the hub
was away. A data directory has one process at a time: to write into it meanwhile, use --record and
type lines as for `anabranch record -`.
";

pub(super) const TAIL: &str = "\
Examples:
  anabranch tail --data ada
  anabranch tail note --follow --hub ws://127.0.0.1:7171
  anabranch tail --json --from 0123456789abcdef@42

Every event once, in an order that respects causality; each line ends with the cursor from which to
go on after it.
";

pub(super) const EXPLAIN: &str = "\
Examples:
  anabranch explain note/1 --data ada
  anabranch explain note/1 title --data ada         one field
  anabranch explain note/1 --json --hub ws://127.0.0.1:7171

First the value, piece by piece: who wrote it, when by their own clock, and by which rule it
stands. Then each race: two events that touch the same place, neither writer knowing of the other,
with what was decided and what was overruled. Then events that the rule refused. Writers are named
by the first digits of their replica, and by the metadata by=NAME where an event has it.
";

pub(super) const RESOLVE: &str = "\
Examples:
  anabranch resolve price/7 --rule price=manual
  anabranch resolve price/7 --seen 0123456789ab --take 2 --rule price=manual
  anabranch resolve toy/1 owner --seen 0123456789ab --value '\"ada\"' --rule 'toy=rules(owner=manual)'

Without --take and --value it shows the values that are open, with a token. A decision names the
token of what was shown, and settles exactly that: if something has come since, nothing is written,
and it is shown anew. What somebody wrote elsewhere without knowing of the decision opens it again.
";

pub(super) const LOG: &str = "\
Examples:
  anabranch log note/1 --data ada
  anabranch log note/1 --last 10 --hub ws://127.0.0.1:7171
  anabranch log note/1 --all --json

One line per event, in the order in which every replica folds them, the newest at the bottom. Each
replica has a lane. An arrow into an event, or a branch that leads to it, comes from an event of
another lane that its writer had seen; lanes that are not joined knew nothing of each other. A
dashed arrow means an event further up, which the line names. Of more than ten replicas only some
have a lane at a time.
  ●  an event              ✗  refused by the rule, on every replica
  ◉  a head: the newest    ○  written again under another id, and skipped
";

pub(super) const SYNC: &str = "\
Examples:
  anabranch sync ws://127.0.0.1:7171 --data ada
  anabranch sync ws://127.0.0.1:7171 --pull-only --json
";

pub(super) const EXPORT: &str = "\
Examples:
  anabranch export --data ada > ada.jsonl
  anabranch export note setting/theme > some.jsonl
  anabranch export --hub ws://127.0.0.1:7171 > hub.jsonl

One line says which log it is, each further one is a whole commit in the order of arrival, the last
one counts them. Imported into an empty directory and exported again, the lines are the same to the
byte. An export of some aggregates lacks what else their writers wrote: where it is imported, what
follows upon that waits, and status says for what.
";

pub(super) const IMPORT: &str = "\
Examples:
  anabranch import ada.jsonl --data copy
  anabranch export --hub ws://127.0.0.1:7171 | anabranch import --data copy
  anabranch import --data copy < ada.jsonl

Takes commits with their ids, as a sync would: what is here already is skipped, and what waits for
events that are not here is counted. An empty directory joins the log of the export, any other must
be of that log. A line that is no commit, or contradicts what is here, is named and left out, and
the rest is taken; the exit code is then 2 or 3. What is reported as taken is fsynced. Interrupted,
it can be begun again.
";

pub(super) const VERIFY: &str = "\
Examples:
  anabranch verify --data hub
  anabranch verify --data hub --json

Reads every entry with its checksum and its place in its writer's chain, the indexes and the stored
states. Exit code 6 if anything is not as it was written. Nothing is repaired: restore a copy, or
found a new directory and sync it from a peer.
";

pub(super) const COMPACT: &str = "\
Examples:
  anabranch compact --data hub

No event goes: what is given back are states that were written anew since, and the like. Seldom
worth while, as a store does most of it by itself.
";

pub(super) const COMPLETIONS: &str = "\
Examples:
  anabranch completions bash > ~/.local/share/bash-completion/completions/anabranch
  anabranch completions zsh > ~/.zfunc/_anabranch
  anabranch completions fish > ~/.config/fish/completions/anabranch.fish
";

pub(super) const STATUS: &str = "\
Examples:
  anabranch status --data ada
  anabranch status --all --json

Waiting are commits that name events which are not here yet. Of each peer it tells what it had not
acknowledged as durable when the two last met.
";
