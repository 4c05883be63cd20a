//! Every bound of the crate, each with its unit, its origin and what breaks when it changes.
//!
//! Two kinds live here and must not be confused. *Validity* limits are constants of the protocol
//! version: whether an event is valid may not depend on where it is judged, so nobody can configure
//! them. *Local* limits bound memory and time on one machine; changing one changes no state.

/// Greatest payload of one event, in bytes. Validity.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Greatest aggregate id, in bytes of UTF-8. Validity; well below the 65,535 of a store's key.
pub const AGGREGATE_ID_BYTES_MAX: usize = 1024;
/// Greatest event type, in bytes of UTF-8. Validity.
pub const EVENT_TYPE_BYTES_MAX: usize = 128;
/// Most metadata entries of one event. Validity.
pub const METADATA_ENTRIES_MAX: usize = 64;
/// Greatest sum of the metadata's keys and values, in bytes. Validity.
pub const METADATA_BYTES_MAX: usize = 8 * 1024;
/// Most events of one commit. Validity.
pub const COMMIT_EVENTS_MAX: usize = 8192;
/// Greatest sum of a commit's events, in canonical bytes. Validity.
pub const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting of CBOR that is read or written. Validity: a deeper payload is a rejection.
pub const CBOR_DEPTH_MAX: usize = 32;
/// Longest CBOR whose scratch space lies on the stack when it is read, in bytes: most payloads. Local.
pub const CBOR_SCRATCH_BYTES: usize = 512;
/// Canonical bytes up to which an event is digested without a list for them: most events. Local.
pub const DIGEST_SCRATCH_BYTES: usize = 512;

/// Most heads that one event names. Validity; a writer that saw more names the greatest ones.
pub const HEADS_MAX: usize = 1024;
/// From this reading on, in milliseconds, a timestamp must be exactly one above the greatest that
/// it names, so that a successor always exists. Validity; 2^47 ms is the year 6429.
pub const TIMESTAMP_FAR_MS: u64 = 1 << 47;

/// How far, in milliseconds, a remote clock may be ahead before this node's clock ignores it, and
/// before a first hop refuses the commit. Local.
pub const DRIFT_MS_MAX: u64 = 60_000;

/// Greatest frame on any carrier, in bytes, its header included. Protocol.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one part of a commit that is larger than a frame. Protocol; leaves a frame room for its
/// header.
pub const PART_BYTES_MAX: usize = 512 * 1024;
/// Most events of one block of commits. Protocol; what hostile bytes can make of memory.
pub const BLOCK_EVENTS_MAX: usize = 65_536;
/// Greatest sum of a block's commits, in canonical bytes. Protocol; names are told by what differs
/// between them, so a few bytes may stand for many.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Replicas, and event types, that blocks on one connection may tell by a number. Protocol; what a
/// peer can make of memory.
pub const BLOCK_NAMES_MAX: usize = 1024;
/// A batch is closed when it holds this many events, or the bytes below. Local.
pub const BATCH_EVENTS_MAX: usize = 512;
/// A batch is closed when its events reach this many bytes; it holds at least one commit. Local.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Bytes a peer may send before the receiver has taken earlier ones. Local; at least two frames, or
/// a sender would stop for a round trip after each.
pub const CREDIT_BYTES: u64 = 4 * 1024 * 1024;
/// Greatest position of a log that is told of. Protocol; two bits of its number have other uses.
pub const POSITION_MAX: u64 = (1 << 62) - 2;
/// Shortest frame that is worth being compressed, in bytes. Local.
pub const COMPRESSED_BYTES_MIN: usize = 256;
/// Most peers whose cursors a hello lists. Protocol.
pub const HELLO_PEERS_MAX: usize = 8;
/// Most ranges in one summary message; a longer summary is sent in several. Protocol.
pub const SUMMARY_RANGES_MAX: usize = 8192;
/// Entries after which a peer is told a cursor that merely moved, because nothing before it was for
/// that peer; a resume reads no further than that for nothing. Local.
pub const UNTOLD_ENTRIES_MAX: u64 = 512;
/// So many batches that were taken are acknowledged though none of them is durable yet. Local.
pub const UNTOLD_BATCHES_MAX: u64 = 8;
/// Most messages of one summary. Protocol; what does not fit is not told, which costs duplicates.
pub const SUMMARY_MESSAGES_MAX: usize = 64;
/// Bytes of frames that a session keeps while its owner looks up a peer that has introduced itself.
/// Local.
pub const DEFERRED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Silence after which a ping is sent, in milliseconds. Local.
pub const PING_MS: u64 = 20_000;
/// Silence after which a connection counts as dead, in milliseconds. Local.
pub const DEAD_MS: u64 = 45_000;
/// Connections that one sync opens: a store that turns out to have been restored takes a new
/// incarnation and connects again, as does one whose lineage was settled meanwhile. Local; more in a
/// row mean that something else is wrong.
pub const SYNC_TRIES_MAX: usize = 3;
/// Time a peer has to send its hello, in milliseconds. Local.
pub const HELLO_MS: u64 = 5_000;
/// First delay of a reconnect, in milliseconds; doubled per failure. Local.
pub const BACKOFF_MS_MIN: u64 = 250;
/// Greatest delay of a reconnect, in milliseconds. Local.
pub const BACKOFF_MS_MAX: u64 = 30_000;
/// Most characters of a reason that a refusal or a close carries. Protocol.
pub const REASON_BYTES_MAX: usize = 512;

/// Most epochs a store lists; cursors of older ones are answered by a summary. Local.
pub const EPOCHS_MAX: usize = 1024;
/// Entries of one page read from a store's log. Local.
pub const PAGE_ENTRIES_MAX: usize = 512;
/// Bytes of one page read from a store's log; it holds at least one entry. Local.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of timelines a replica keeps in memory before the coldest leave. Local.
pub const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of the commits that one group write gathers; a single larger commit is a group of its own.
/// Local.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Changes a watch keeps in memory, one per aggregate, before it serves its reader from the log.
/// Local.
pub const WATCH_CHANGES_MAX: usize = 1024;
/// Events that one change names; it counts the others. Local.
pub const CHANGE_CAUSES_MAX: usize = 64;
/// Keys that one change names; above it says everything. Local.
pub const CHANGE_KEYS_MAX: usize = 256;
/// Events folded since an aggregate's stored fold, after which a new fold is stored. Local; a cold
/// read replays at most about as many.
pub const FOLD_EVENTS_MAX: usize = 256;
/// Time after which a buffered write is fsynced even if nobody waits for it, in milliseconds. Local.
pub const FLUSH_MS: u64 = 1_000;
/// Terms of one filter. Local.
pub const FILTER_TERMS_MAX: usize = 64;
/// Greatest presentation of one aggregate's state, in bytes, that the handle decodes. Local.
pub const STATE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Greatest head of an HTTP request, in bytes. Local.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers of an HTTP request. Local.
pub const HTTP_HEADERS_MAX: usize = 100;
/// Time a client has to send the head of its HTTP request, in milliseconds. Local.
pub const HTTP_HEAD_MS: u64 = 10_000;
/// Connections that a hub serves at a time. Local.
pub const CONNECTIONS_MAX: usize = 15_000;
/// Frames that one direction of a link within a process holds before its sender waits. Local.
pub const IN_PROCESS_FRAMES_MAX: usize = 16;
/// Callers that wait for a listener within a process to accept them. Local.
pub const IN_PROCESS_CALLERS_MAX: usize = 16;
/// Frames that whoever brought an input about sends itself before the tasks of the connections are
/// asked to. Local; each keeps others from the engine for a call of the system.
pub const SENT_AT_ONCE_MAX: usize = 4;
/// Times that what has become sendable is offered to connections by itself; what follows is gathered
/// until whoever waits for the processor had a turn. Local.
pub const OFFERS_AT_ONCE_MAX: u32 = 4;
/// Offers in a millisecond; what follows is gathered until it is over. Local; a frame of one event
/// costs three processes 15 us of work that one more event in a frame does not.
pub const OFFERS_PER_MS_MAX: u32 = 12;
/// So many entries are offered at once, whatever was before them. Local; what a frame costs by itself
/// is then less than a tenth of what they cost.
pub const OFFER_ENTRIES: u64 = 128;
/// Time to connect and upgrade, in milliseconds. Local.
pub const DIAL_MS: u64 = 10_000;
/// Time the other end has to answer a goodbye, in milliseconds. Local.
pub const GOODBYE_MS: u64 = 3_000;
/// Bytes of the read buffer that one WebSocket keeps; there may be two while a frame is in use. Local;
/// the library's own default costs 134 KiB for an idle connection.
pub const WEBSOCKET_READ_BYTES: usize = 1024;
/// Bytes that are read at a time while that buffer does not hold what is there. Local; held until
/// they were handed on.
pub const WEBSOCKET_BITE_BYTES: usize = 32 * 1024;
/// Bytes that a WebSocket gathers before it writes them. Local.
pub const WEBSOCKET_GATHERED_BYTES: usize = 4 * 1024;
/// Longer messages leave in fragments of this many bytes. Local; a write buffer never shrinks, so
/// this is what a connection that once sent a large batch keeps.
pub const WEBSOCKET_FRAGMENT_BYTES: usize = 16 * 1024;
/// Bytes that a WebSocket's write buffer may grow to. Local; holds the buffer, one fragment, and
/// answers to the pings of a peer that does not read.
pub const WEBSOCKET_WRITE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of text that fit in a WebSocket's close frame beside its code. Protocol (RFC 6455).
pub const WEBSOCKET_REASON_BYTES_MAX: usize = 123;
/// Characters of a refusing server's text that an error repeats. Local.
pub const SAID_CHARS_MAX: usize = 200;
/// Time one promise of a conformance suite may take before it counts as hanging, in milliseconds.
/// Local.
pub const PROMISE_MS: u64 = 30_000;
/// Time one answer of a store may take before a conformance suite calls it hanging, in milliseconds.
/// Local; a disk that others write to can take most of a minute for an fsync.
pub const ANSWER_MS: u64 = 120_000;
/// Time without movement after which a conformance suite calls a sender held up, in milliseconds.
/// Local.
pub const STALL_MS: u64 = 250;
/// Events of one replay that are looked at for what they changed; beyond it everything counts as
/// changed. Local.
pub const CHANGE_EVENTS_MAX: usize = 256;
/// Events between two checkpoints of one aggregate at least: a copy of the state against so many
/// events folded again. Local.
pub const CHECKPOINT_EVENTS_MIN: usize = 16;
/// Greatest key of one of the engine's notes, in bytes. Local; far below the 65,535 of a store's key.
pub const NOTE_KEY_BYTES_MAX: usize = 1024;
/// Bytes of a peer's address by which it is remembered who answers there; a key of a note has at most
/// 1,024. Local.
pub const ADDRESS_KEY_BYTES: usize = 1_000;

/// Commits of a fork that a replica names; it counts the others. Local.
pub const FORKS_LISTED_MAX: usize = 64;
/// Aggregates without a state that a replica's health names. Local.
pub const UNRESOLVED_LISTED_MAX: usize = 1_024;
/// Ranges of events that a gap between two replicas names; it counts the others. Local.
pub const GAP_RANGES_MAX: usize = 64;
/// Entries of the log that are read to tell what peers have not acknowledged: some seconds' work.
/// Local.
pub const LAG_ENTRIES_MAX: u64 = 65_536;
/// Faults that one verification of a store lists; it counts the others. Local.
pub const FAULTS_MAX: usize = 1_024;
/// Rows of an index that a verification reads before others who read have their turn. Local.
pub const VERIFY_ROWS_MAX: usize = 4_096;
/// Events, of whole commits, that are verified when a store is opened after an unclean end. Local; a
/// constant, or opening would cost as much as history. Each is sought in both indexes.
pub const STORE_TAIL_EVENTS: usize = 1024;
/// Bytes of commits that are read for that, at most. Local.
pub const STORE_TAIL_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of blocks that a disk store keeps in memory. Local.
pub const STORE_CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of the blocks of its log that a disk store keeps decoded for the next reader, about. Local.
pub const STORE_RECENT_BYTES: usize = 8 * 1024 * 1024;
/// What a decoded entry takes beside its encoded bytes, about, in bytes. Local.
pub const STORE_ENTRY_BYTES: usize = 256;
/// Most events of one block of a disk store's log, a larger commit alone. Local; to read one entry
/// its block is decoded.
pub const STORE_BLOCK_EVENTS: usize = 512;
/// Most bytes of the commits of one such block, a larger commit alone. Local; a read of one entry
/// reads as much.
pub const STORE_BLOCK_BYTES: usize = 64 * 1024;
/// Bytes of rows of a disk store's log that are read before any is decoded. Local; a long read has
/// as much in memory.
pub const STORE_READ_BYTES: usize = 1024 * 1024;
/// Bytes of rows from which on two threads decode them. Local; it takes as long as to begin a thread
/// many times over.
pub const STORE_APART_BYTES: usize = 256 * 1024;
/// Small blocks that are worth being written again as one, at least. Local.
pub const STORE_JOINED_BLOCKS_MIN: usize = 4;
/// Whole blocks' worth of small ones from which on they are joined along with a group, if none of
/// them has found a pause. Local; so many blocks are kept in memory.
pub const STORE_LOOSE_MAX: usize = 4;
/// Events of which a disk store writes the rows of its indexes together: the more, the fewer rows
/// there are of a writer and of an aggregate. Local; twice as many are read again when it is opened
/// after a crash, and found in memory until then.
pub const STORE_SEGMENT_EVENTS: usize = 32_768;
/// Most entries that one row of an index tells. Local; all of a row is read for one of them.
pub const STORE_INDEX_ROW_ENTRIES: usize = 256;
/// Rows of an index that a verification keeps at hand. Local.
pub const STORE_ROWS_AT_HAND: usize = 1_024;
/// Rows of indexes that are written in one piece: in a pause, or along with a group that does not
/// bring more events itself where there was none. Local; a write waits for them.
pub const STORE_INDEX_ROWS_MIN: usize = 64;
/// Bytes that one of a disk store's tables gathers in memory before it writes a file. Local; four
/// tables have up to this much, so it bounds an idle store.
pub const STORE_TABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of journals a disk store may keep, the least that fjall accepts; what a crash leaves of them
/// is read when the store is opened. Local.
pub const STORE_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of journal that a close leaves for the next open to read, rather than fold them into
/// tables. Local.
pub const STORE_CLOSE_JOURNAL_BYTES: u64 = 1024 * 1024;
/// Greatest line of stdin that the command line reads, in bytes; twice what a payload may have, as
/// JSON takes more room. Local.
pub const LINE_BYTES_MAX: u64 = 512 * 1024;
/// Greatest line of an export that is read again, in bytes: the largest commit, where JSON needs six
/// bytes for one. Local.
pub const IMPORT_LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of an export that are taken together, a single larger line alone. Local; one fsync for all
/// of them.
pub const IMPORT_BYTES_AT_ONCE: u64 = 1024 * 1024;
/// Time between two pictures of how far a long work is, in milliseconds. Local.
pub const PROGRESS_MS: u64 = 200;
/// Lines of stdin that the command line writes together. Local; one fsync for all of them.
pub const LINES_AT_ONCE_MAX: usize = 256;
/// Characters of one cell of a table; what is longer is cut there, never in JSON. Local.
pub const CELL_CHARS_MAX: usize = 64;
/// Replicas that have a lane of their own in the drawing of a history; more would push the text off the
/// screen. Local.
pub const LOG_LANES_MAX: usize = 10;
/// Columns of a line of that drawing, after which its text is cut. Local.
pub const LOG_COLUMNS: usize = 140;
/// Columns of text that such a line has in any case. Local.
pub const LOG_TEXT_COLUMNS: usize = 24;
/// By how much a stamp may be off its writer's own clock before an explanation says so, in
/// milliseconds. Local.
pub const STAMP_APART_MS: u64 = 1_000;
/// Pieces of a value that are explained on the screen; the others are in the JSON. Local.
pub const EXPLAIN_PIECES_MAX: usize = 100;
/// Pieces of a value that are explained in some lines each; of more, each has one line where that is
/// enough. Local.
pub const EXPLAIN_PIECES_APART: usize = 12;
/// Columns of a line of an explanation, where words allow. Local.
pub const EXPLAIN_COLUMNS: usize = 100;
/// Time that one process of the demo has to answer, in milliseconds. Local.
pub const DEMO_ANSWER_MS: u64 = 15_000;
/// Time a client has to send the first byte of its HTTP request, in milliseconds. Local.
pub const HTTP_FIRST_BYTE_MS: u64 = 5_000;
/// Greatest target of an HTTP request, path and query, in bytes. Local.
pub const HTTP_TARGET_BYTES_MAX: usize = 8 * 1024;
/// Time that what a client still sends is read after its answer, in milliseconds; without it the
/// system would reset the connection and the answer be lost. Local.
pub const HTTP_LINGER_MS: u64 = 1_000;
/// Connections that a hub keeps open beside its links, while they say what they want. Local.
pub const HTTP_CONNECTIONS_MAX: usize = 1_024;
/// Connections that the system keeps waiting until the hub accepts them. Local; a reconnect storm
/// overflows a short queue, and who is not in it tries again only after a second.
pub const LISTEN_QUEUE_MAX: u32 = 4_096;
/// Pause after a connection could not be accepted, in milliseconds, as when no file descriptor is
/// left. Local.
pub const ACCEPT_BACKOFF_MS: u64 = 100;
/// When a client that was turned away may come back, in seconds. Local.
pub const RETRY_AFTER_SECS: u64 = 5;
/// Time a hub that stops waits for its connections to end, in milliseconds. Local.
pub const STOP_MS: u64 = 8_000;
/// Most races of one page. Local.
pub const RACE_PAGE_MAX: usize = 1_000;
/// Pairs of concurrent events that are judged for one page of races, or to count them. Local; a page
/// ends there even if it is not full.
pub const RACE_LOOKS_MAX: usize = 10_000;
/// Places of one race that are listed and judged. Local; a race may touch as many as two payloads name.
pub const CONTESTED_MAX: usize = 256;
/// Pieces of a value that one explanation lists. Local.
pub const PIECES_MAX: usize = 10_000;
/// Events that one explanation names as the source of one piece. Local.
pub const SOURCES_MAX: usize = 16;
/// Events whose footprints are looked at to find the sources of pieces of which the rule does not tell
/// them, and again to find who decided in the races of a page. Local.
pub const SOURCE_LOOKS_MAX: usize = 10_000;
/// Refused events, and replaced ones, that one explanation lists. Local.
pub const REFUSED_MAX: usize = 256;
/// Concurrent events that the index of keys keeps for one place; where there are more, an event counts
/// as concurrent with one of them unless it saw everything. Local.
pub const TOUCH_HEADS_MAX: usize = 64;
/// Segments of a key that an index of keys looks at; two longer ones that agree so far count as
/// overlapping. Local; deeper than any state that can be written, and no payload makes it deeper.
pub const KEY_SEGMENTS_MAX: usize = 64;
/// Late events that a timeline remembers to have applied where they came, until somebody looks. Local;
/// half of them are the first, the rest a sample.
pub const PLACED_KEPT_MAX: usize = 16;
/// Of late events that were applied where they came, one in so many is audited by a replay; a power
/// of two, at most 128. Local.
pub const AUDIT_ONE_IN: u8 = 64;
/// Most aggregates whose digests one message tells. Protocol; each takes about 60 bytes and its name.
pub const DIGESTS_MAX: usize = 256;
/// Events of a history that is kept as evidence of a mistake in a rule, before it is made smaller.
/// Local; who saw what costs its square.
pub const EVIDENCE_EVENTS_MAX: usize = 256;
/// How often a rule is asked to fold an event while such a history is made smaller. Local; a fraction
/// of a second, once for a rule and a mistake.
pub const EVIDENCE_APPLIES_MAX: u64 = 200_000;
/// How often a history is folded again to see whether it comes to the same. Local; the order of two
/// entries of a hash map is the same by chance half of the time.
pub const EVIDENCE_REPEATS: usize = 16;
/// Time after which a live connection tells what moved on it, in milliseconds, and the least between
/// two such rounds. Local.
pub const DIGESTS_MS: u64 = 1_000;
/// Aggregates that moved and are told of in one such round. Local; with their folds, and some 8 KiB on
/// the wire, what a connection costs each second at most.
pub const DIGESTS_AT_ONCE: usize = 64;
/// Aggregates in memory that are told of beside them, though nothing moved there. Local.
pub const DIGESTS_SAMPLE: usize = 4;
/// Aggregates that a peer may tell of at once, and four times of the seconds in which it may do so
/// again. Local; what is told beyond that is not looked at.
pub const DIGESTS_HEARD_MAX: u64 = 1_024;
/// Time that a one-time sync waits for a peer to compare states, in milliseconds. Local.
pub const DIGESTS_WAIT_MS: u64 = 2_000;
/// Aggregates that moved lately and are remembered until each connection has told of them. Local.
pub const MOVED_KEPT_MAX: usize = 1_024;
/// Aggregates that are brought into memory for comparisons, at once and each second. Local.
pub const AUDIT_LOADS_MAX: u64 = 256;
/// Aggregates of which it is remembered that a rule broke a law there. Local.
pub const DIVERGENCES_MAX: usize = 64;
/// Audits by replay of late events that were applied where they came that are made of each rule
/// before samples are drawn. Local.
pub const AUDIT_FIRST: u32 = 8;
/// Events that audits may fold in any case. Local; so that a small history is audited at all.
pub const AUDIT_FREE_APPLIES: u64 = 1_024;
/// Of all events that are folded, audits may fold one in so many again. Local.
pub const AUDIT_SHARE: u64 = 20;
/// Events of an aggregate up to which it is audited by a replay. Local; nothing else is done by the
/// replica meanwhile.
pub const AUDIT_EVENTS_MAX: u64 = 65_536;
/// Aggregates that are audited in that way after one input. Local.
pub const AUDITED_ANEW_MAX: usize = 16;
/// How often a history in doubt is folded anew, and of how many events, before it counts as always
/// the same; a longer one twice. Local.
pub const REPLAYS_MAX: usize = 16;
/// Events of a history that is folded anew that often. Local.
pub const REPLAYS_OF_FEW: u64 = 4_096;
/// Bytes of payloads of such a history. Local; the largest payload alone.
pub const EVIDENCE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;
/// Events that are folded anew at once because a peer says otherwise, and each second. Local; else a
/// peer that lies could keep a replica busy.
pub const EXAMINED_APPLIES_MAX: u64 = 8_000_000;
/// See above.
pub const EXAMINED_APPLIES_PER_SECOND: u64 = 20_000;
/// Aggregates without a rule here of which it is remembered what a peer told. Local.
pub const RELAYED_MAX: usize = 4_096;
/// Connections that are told when two others, who differed there, agree again. Local.
pub const RELAYED_TO_MAX: usize = 64;
