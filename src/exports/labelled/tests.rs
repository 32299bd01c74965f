use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Labelled {
    read_labelled(text.as_bytes(), None).unwrap()
}

fn refused(bytes: &[u8], label: Option<&str>) -> String {
    read_labelled(bytes, label).unwrap_err().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn places(faults: &Faults) -> Vec<(u64, Option<&str>)> {
    faults.first.iter().map(|f| (f.line, f.column.as_deref())).collect()
}

const FULL: &str = r#"{"id":7,"subject":"VPN","body":"down","messages":[{"text":"still down"}],
"category":" Network ","team":"Net","priority":2,"language":"en","resolution":"Restarted it",
"tags":["vpn","urgent"],"split":"train","created_at":"2025-03-04T09:15:00Z","scope":"in_scope",
"duplicates":["a",9],"relevant":[],"floor":3.5,"vip":true,"labels":["x"],"url":null}"#;

#[test]
fn every_field_is_read() {
    let ticket = &read(&FULL.replace('\n', "")).tickets[0];
    assert_eq!((ticket.line, ticket.id.as_deref()), (1, Some("7")));
    assert_eq!((ticket.text.subject.as_str(), ticket.text.body.as_str()), ("VPN", "down"));
    assert_eq!(ticket.text.messages[0].text, "still down");
    let labels: Vec<_> = ticket.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let expected = [
        ("category", "Network"),
        ("floor", "3.5"),
        ("priority", "2"),
        ("team", "Net"),
        ("vip", "true"),
    ];
    assert_eq!(labels, expected);
    assert_eq!((ticket.label("floor"), ticket.label("language")), (Some("3.5"), Some("en")));
    assert_eq!((ticket.label("url"), ticket.label("body")), (None, None));
    assert_eq!(ticket.resolution.as_deref(), Some("Restarted it"));
    assert_eq!(ticket.split.as_deref(), Some("train"));
    assert_eq!(ticket.created_at.unwrap().to_string(), "2025-03-04T09:15:00Z");
    assert!(ticket.in_scope());
    assert_eq!(
        (ticket.tags.len(), ticket.duplicates.as_slice()),
        (2, ["a", "9"].map(String::from).as_slice())
    );
}

#[test]
fn csv_is_read_as_json_lines_are() {
    let csv = "id;subject;body;messages;category;created_at;duplicates;floor\r\n\
               1;\"5\" \"disk\"\"\";\"two\r\nlines\";\"[{\"\"text\"\":\"\"m\"\"}]\";Hardware;2025-03-04 09:15;a, b;\r\n\
               \r\n\
               2;5\" disk;x;;;;;3\r\n";
    let read = read(csv);
    assert_eq!(read.faults, Faults::default());
    let [first, second] = read.tickets.as_slice() else { panic!("{read:?}") };
    assert_eq!((first.line, second.line), (2, 5));
    assert_eq!(first.text.body, "two\nlines");
    assert_eq!(first.text.messages[0].text, "m");
    assert_eq!((first.label("category"), first.label("floor")), (Some("Hardware"), None));
    assert_eq!(first.duplicates, ["a", "b"]);
    assert!(first.created_at.is_some());
    assert_eq!((second.text.subject.as_str(), second.label("floor")), ("5\" disk", Some("3")));
}

#[test]
fn what_is_out_of_scope_is_told() {
    let read = read("{\"body\":\"a\",\"scope\":\"ood_oos\"}\n{\"body\":\"b\"}\n");
    let scopes: Vec<bool> = read.tickets.iter().map(LabelledTicket::in_scope).collect();
    assert_eq!(scopes, [false, true]);
}

#[test]
fn a_bad_row_names_line_and_field_and_spares_the_rest() {
    let text = "{\"body\":\"a\"}\n\n{broken\n{\"body\":7}\n{\"body\":\"b\",\"category\":[1]}\n\
                {\"body\":\"  \"}\n[1]\n{\"body\":\"c\",\"messages\":3}\n\
                {\"body\":\"d\",\"created_at\":\"soon\",\"unknown\":{}}\n{\"body\":\"e\",\"tags\":{}}";
    let read = read(text);
    let bodies: Vec<&str> = read.tickets.iter().map(|t| t.text.body.as_str()).collect();
    assert_eq!(bodies, ["a", "d"]);
    let column = |line, name| (line, Some(name));
    let expected = [
        (3, None),
        column(4, "body"),
        column(5, "category"),
        (6, None),
        (7, None),
        column(8, "messages"),
        column(10, "tags"),
    ];
    assert_eq!(places(&read.faults), expected);
    assert_eq!(places(&read.warnings), [column(9, "created_at")]);
    assert_eq!(read.faults.first[1].to_string(), "line 4, body: expected text, found a number");
}

#[test]
fn rows_without_the_label_are_counted() {
    let text =
        "{\"body\":\"a\",\"team\":\"x\"}\n{\"body\":\"b\"}\n{\"body\":\"c\",\"team\":null}\n";
    let read = read_labelled(text.as_bytes(), Some("team")).unwrap();
    assert_eq!((read.tickets.len(), read.unlabelled), (1, 2));
    let missing = refused(text.as_bytes(), Some("queue"));
    assert_eq!(missing, "no ticket has the label \"queue\"; labels there are: team");
}

#[test]
fn files_that_make_no_sense_are_refused_with_advice() {
    for empty in ["", " \n\r\n ", "\u{feff}"] {
        assert_eq!(refused(empty.as_bytes(), None), "the file is empty", "{empty:?}");
    }
    assert_eq!(refused(&gzip(b""), None), "the file is empty");
    assert_eq!(refused(b"body,category\n", None), "the file is empty");
    assert!(refused(b" [{}]", None).contains("one ticket on each line"));
    assert!(refused(b"\xff\xfe{\0", None).contains("UTF-8"));
    let columns = refused(b"text,label\na,b\n", None);
    assert_eq!(columns, "no column is named subject, body or messages; there are: text, label");
    let fields = refused(b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n", Some("category"));
    assert_eq!(
        fields,
        "none of the 2 rows makes a ticket; the first: line 1: neither a subject nor a body nor messages"
    );
}

#[test]
fn marks_and_compression_make_no_difference() {
    let plain = "{\"body\":\"a\",\"category\":\"x\"}\n{\"body\":\"b\",\"category\":\"y\"}\n";
    let marked = format!("\u{feff}{plain}");
    let halves = [gzip(&plain.as_bytes()[..31]), gzip(&plain.as_bytes()[31..])].concat();
    for bytes in
        [marked.clone().into_bytes(), gzip(marked.as_bytes()), gzip(plain.as_bytes()), halves]
    {
        assert_eq!(read_labelled(&bytes[..], None).unwrap(), read(plain));
    }
    let csv = "\u{feff}body,category\na,x\n";
    assert_eq!(read(csv).tickets[0].label("category"), Some("x"));
}

#[test]
fn bytes_that_are_no_utf_8_are_a_fault_in_json_and_windows_text_in_csv() {
    let json = read_labelled(&b"{\"body\":\"a\"}\n{\"body\":\"Gr\xfc\xdfe\"}\n"[..], None).unwrap();
    assert_eq!((json.tickets.len(), places(&json.faults)), (1, vec![(2, None)]));
    assert_eq!(json.faults.first[0].reason, "expected UTF-8, which ends at byte 11");
    let csv = read_labelled(&b"body\nGr\xfc\xdfe\n"[..], None).unwrap();
    assert_eq!(csv.tickets[0].text.body, "Gr\u{fc}\u{df}e");
}

#[test]
fn half_a_gzip_is_not_taken_for_the_whole() {
    let rows: String = (0..20_000)
        .fold(String::new(), |rows, i| rows + &format!("{{\"body\":\"{}\"}}\n", i * 7_919));
    let whole = gzip(rows.as_bytes());
    let mut tickets = 0;
    let cut = each_labelled(&whole[..whole.len() / 2], |row| {
        tickets += usize::from(matches!(row, Row::Ticket(_)));
    });
    assert!(matches!(cut, Err(LabelledError::Broken { line, .. }) if line > 1_000), "{cut:?}");
    assert!(tickets > 1_000, "{tickets}");
    assert!(refused(&whole[..whole.len() / 2], None).contains("is it complete?"));
    assert!(read_labelled(&b"\x1f\x8b no gzip"[..], None).is_err());
}

#[test]
fn a_row_of_ten_megabytes_is_passed_over() {
    let long = "x".repeat(10 << 20);
    let json = format!("{{\"body\":\"a\"}}\n{{\"body\":\"{long}\"}}\n{{\"body\":\"b\"}}\n");
    let read_json = read(&json);
    assert_eq!((read_json.tickets.len(), places(&read_json.faults)), (2, vec![(2, None)]));
    assert!(read_json.faults.first[0].reason.contains("longer than 8 MB"));
    let csv = format!("body,category\na,x\n{long},x\nb,y\n");
    assert_eq!((read(&csv).tickets.len(), places(&read(&csv).faults)), (2, vec![(3, None)]));
}

#[test]
fn an_open_quote_does_not_swallow_the_file_unsaid() {
    let read = read("body,category\na,x\n\"b,x\nc,y\n");
    assert_eq!((read.tickets.len(), places(&read.faults)), (1, vec![(3, None)]));
    assert!(read.faults.first[0].reason.contains("never closed"));
}

#[test]
fn a_ragged_row_is_a_fault() {
    let read = read("body,category\na,x\nb\nc,y\n");
    assert_eq!((read.tickets.len(), places(&read.faults)), (2, vec![(3, None)]));
}

#[test]
fn only_the_first_thousand_faults_are_kept() {
    let read = read(&format!("{{\"body\":\"a\"}}\n{}", "{}\n".repeat(1_500)));
    assert_eq!((read.faults.count, read.faults.first.len()), (1_500, 1_000));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_labelled(&bytes[..], None);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}\\[\\]\":,;\n\ta-c0-9\\\\]{0,200}") {
        let _ = read_labelled(format!("{{\"body\":{text}").as_bytes(), Some("a"));
        let _ = read_labelled(format!("body,a\n{text}").as_bytes(), Some("a"));
    }

    #[test]
    fn rows_of_csv_end_where_the_csv_reader_ends_them(
        rows in prop::collection::vec(("[a\"\n,;]{1,8}", "[a\"\n,;]{0,8}"), 1..6)
    ) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["body", "x"]).unwrap();
        for (body, x) in &rows {
            writer.write_record([&format!("b{body}"), x]).unwrap();
        }
        let read = read_labelled(&writer.into_inner().unwrap()[..], None).unwrap();
        let bodies: Vec<String> = read.tickets.iter().map(|t| t.text.body[1..].to_owned()).collect();
        prop_assert_eq!(bodies, rows.into_iter().map(|r| r.0).collect::<Vec<_>>());
    }
}
