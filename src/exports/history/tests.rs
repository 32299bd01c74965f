use std::io::Write;

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> History {
    read_bytes(text.as_bytes()).unwrap()
}

fn read_bytes(bytes: &[u8]) -> Result<History, ExportError> {
    read_history(bytes, &HistoryOptions::default())
}

fn created(history: &History) -> Vec<String> {
    let times = history.tickets.iter().map(|t| t.resolved.ticket.created_at);
    times
        .map(|t| t.map_or_else(|| "-".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M").to_string()))
        .collect()
}

/// Each system's export as it writes it: system, file, what category, team and thread it has.
#[test]
fn common_systems_exports_are_read_as_they_are() {
    let cases = [
        (
            System::Zendesk,
            "\u{feff}Id,Subject,Description,Requester email,Group,Type,Created at,Solved at,Via,Group stations\r\n\
             17,VPN down,\"It says \"\"no\"\"\",a@x.example,Network,Incident,2025-03-04 09:15,2025-03-05 10:00,Web,2\r\n",
            ("17", Some("Incident"), Some("Network"), "2025-03-04 09:15"),
        ),
        (
            System::Jira,
            "Summary,Issue key,Issue id,Issue Type,Description,Created,Resolved,Component/s,Comment,Comment\n\
             VPN down,IT-9,10009,Service Request,since nine,04/Mar/25 9:15 AM,,Network,first,second\n",
            ("IT-9", Some("Network"), None, "2025-03-04 09:15"),
        ),
        (
            System::ServiceNow,
            "number,short_description,description,category,assignment_group,opened_at,close_notes,reassignment_count,parent_incident\n\
             INC1,VPN down,since nine,Network,NET-2,2025-03-04 09:15:00,Restarted it,3,\n",
            ("INC1", Some("Network"), Some("NET-2"), "2025-03-04 09:15"),
        ),
        (
            System::Freshdesk,
            "Ticket ID;Subject;Description;Group;Type;Created time;Resolved time;Agent interactions\n\
             5;VPN down;<p>since <b>nine</b></p>;Network;Incident;2025-03-04 09:15:00;;1\n",
            ("5", Some("Incident"), Some("Network"), "2025-03-04 09:15"),
        ),
        (
            System::Zammad,
            "#;Title;Group;Created at;Close at;Article count;Organization;Category\n\
             81005;VPN down;Network;2025-03-04T09:15:00Z;;3;Acme;VPN\n",
            ("81005", Some("VPN"), Some("Network"), "2025-03-04 09:15"),
        ),
        (
            System::RequestTracker,
            "id\tSubject\tQueue\tRequestors\tCreated\tResolved\tTold\tCF.{Category}\n\
             12\tVPN down\tNetwork\ta@x.example\tTue, 4 Mar 2025 09:15:00 +0000\t\t\tVPN\n",
            ("12", Some("VPN"), Some("Network"), "2025-03-04 09:15"),
        ),
        (
            System::Redmine,
            "#,Project,Tracker,Parent task,Status,Subject,Author,Category,Created,Target version,Description\n\
             44,Support,Bug,40,New,VPN down,Jo,Network,03/04/2025 09:15 AM,,since nine\n\
             45,Support,Bug,,New,Mail down,Jo,Mail,03/14/2025 09:15 AM,,since ten\n",
            ("44", Some("Network"), None, "2025-03-04 09:15"),
        ),
    ];
    for (system, text, (id, category, team, time)) in cases {
        let history = read(text);
        let ticket = &history.tickets[0];
        assert_eq!(history.system, Some(system));
        assert_eq!(history.faults.count, 0, "{system}: {:?}", history.faults);
        assert_eq!(ticket.resolved.ticket.source.as_ref().unwrap().id, id, "{system}");
        assert!(ticket.resolved.ticket.text.subject.contains("VPN"), "{system}");
        assert_eq!(ticket.resolved.outcome.category.as_deref(), category, "{system}");
        assert_eq!(ticket.resolved.outcome.team.as_deref(), team, "{system}");
        assert_eq!(created(&history)[0], time, "{system}");
    }
    let redmine = read(cases[6].1);
    assert_eq!(redmine.tickets[0].thread.as_deref(), Some("40"));
    let servicenow = read(cases[2].1);
    assert_eq!(servicenow.tickets[0].handovers, Some(3));
    let late: Vec<&str> = servicenow.late.iter().map(|l| l.column.as_str()).collect();
    for column in ["close_notes", "reassignment_count", "assignment_group"] {
        assert!(late.contains(&column), "{late:?}");
    }
}

#[test]
fn json_lines_of_an_api_are_unwrapped() {
    let history = read(
        "{\"key\":\"IT-1\",\"fields\":{\"summary\":\"VPN\",\"created\":\"2025-03-04T09:15:00.000+0100\",\"components\":[{\"name\":\"Network\"}],\"priority\":{\"name\":\"High\"}}}\n\
         {\"key\":\"IT-2\",\"fields\":{\"summary\":\"Mail\",\"team_history\":[\"Desk\",\"Mail\"]}}\n",
    );
    assert_eq!(history.tickets.len(), 2);
    assert_eq!(history.tickets[0].resolved.outcome.priority.as_deref(), Some("High"));
    assert_eq!(created(&history)[0], "2025-03-04 08:15");
    assert_eq!(history.tickets[1].path, ["Desk", "Mail"]);
}

#[test]
fn encodings_are_told_apart() {
    let text = "Betreff;Beschreibung;Kategorie\nDrucker druckt nicht;Seit heute früh größte Störung, bitte prüfen;Öffentliches Gerät\n";
    let (latin, ..) = encoding_rs::WINDOWS_1252.encode(text);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16.iter().copied()).collect();
    let cyrillic = "Тема;Описание\nПринтер;Не печатает со вчерашнего дня, помогите пожалуйста";
    for bytes in [latin.as_ref(), &utf16, &marked, text.as_bytes()] {
        let history = read_bytes(bytes).unwrap();
        let outcome = &history.tickets[0].resolved.outcome;
        assert_eq!(outcome.category.as_deref(), Some("Öffentliches Gerät"), "{}", history.encoding);
        assert_eq!(history.undecodable, 0);
    }
    let (bytes, ..) = encoding_rs::WINDOWS_1251.encode(cyrillic);
    let options = HistoryOptions {
        map: "subject=Тема,body=Описание".parse().unwrap(),
        ..HistoryOptions::default()
    };
    let history = read_history(bytes.as_ref(), &options).unwrap();
    assert_eq!(history.tickets[0].resolved.ticket.text.subject, "Принтер");
    // Words of one encoding among those of another are counted.
    let mixed = [text.as_bytes(), b"a;b\xfc\xff;c\n"].concat();
    let history = read_bytes(&mixed).unwrap();
    assert!(history.undecodable > 0 || history.encoding != "UTF-8");
}

#[test]
fn titles_above_the_header_and_a_named_separator_are_passed_over() {
    let history = read("Tickets of March;;\n;;\nSubject;Group;Created\nVPN;Net;01.03.2025\n");
    assert_eq!(history.tickets.len(), 1);
    assert_eq!(created(&history), ["2025-03-01 00:00"]);
    let history = read("sep=|\nSubject|Group\nVPN, again|Net\n");
    assert_eq!(history.tickets[0].resolved.ticket.text.subject, "VPN, again");
}

#[test]
fn dates_that_may_be_in_two_months_are_not_guessed() {
    let history = read("subject,created\na,03/04/2025\nb,05/06/2025\n");
    assert_eq!(created(&history), ["-", "-"]);
    assert_eq!((history.ambiguous_dates, history.warnings.count), (2, 2));
    let history = read("subject,created\na,03/04/2025\nb,25/06/2025\n");
    assert_eq!(created(&history), ["2025-04-03 00:00", "2025-06-25 00:00"]);
    let options =
        HistoryOptions { dates: Some(DateOrder::MonthFirst), ..HistoryOptions::default() };
    let history = read_history("subject,created\na,03/04/2025\n".as_bytes(), &options).unwrap();
    assert_eq!(created(&history), ["2025-03-04 00:00"]);
}

#[test]
fn dates_in_the_future_are_forgotten_and_said() {
    let mut history = read("subject,created\na,2025-03-04\nb,2045-03-04\n");
    let (count, example) = history.forget_the_future("2025-06-01T00:00:00Z".parse().unwrap());
    assert_eq!((count, example.as_deref()), (1, Some("line 3: 2045-03-04T00:00:00Z")));
    assert_eq!(created(&history), ["2025-03-04 00:00", "-"]);
}

#[test]
fn a_ticket_that_stands_twice_counts_once_in_its_later_state() {
    let history = read("id,subject,group\n1,a,X\n2,b,X\n1,a,Y\n");
    let teams: Vec<_> =
        history.tickets.iter().map(|t| t.resolved.outcome.team.as_deref()).collect();
    assert_eq!(teams, [Some("X"), Some("Y")]);
    assert_eq!((history.faults.count, history.faults.first[0].line), (1, 2));
    assert_eq!(read("subject,group\na,X\na,X\n").tickets.len(), 2, "no ids, two tickets");
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let refused = |bytes: &[u8]| read_bytes(bytes).unwrap_err().to_string();
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"\n\n").contains("empty"));
    assert!(refused(b"<html><table><tr><td>x").contains("save it as XLSX"));
    assert!(refused(b"%PDF-1.4").contains("export the tickets"));
    assert!(refused(b"[{}]").contains("jq"));
    assert!(refused(b"a,b\n1,2\n").contains("--map subject="));
    assert!(refused(b"PK\x03\x04 not a workbook").contains("save it as XLSX or CSV"));
    assert!(refused(b"subject,body\n,\n").contains("none of the 1 rows"));
    assert!(refused(b"subject\n").contains("empty"));
    let limits = Limits { text: 100, workbook: 10 };
    let options = HistoryOptions { limits, ..HistoryOptions::default() };
    let long = format!("subject\n{}\n", "word ".repeat(100));
    let error = read_history(long.as_bytes(), &options).unwrap_err();
    assert_eq!(error, ExportError::TooLarge { limit: 100 });
    let error = read_history(&b"PK\x03\x04 and more than ten"[..], &options).unwrap_err();
    assert_eq!(error, ExportError::TooLarge { limit: 10 });
}

/// A packed file of two gigabytes is refused once a gigabyte of it was read, and nothing is kept.
#[test]
fn a_bomb_is_refused_at_its_limit() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"subject\n").unwrap();
    let line = [vec![b'a'; 1 << 20], b"\n".to_vec()].concat();
    for _ in 0..64 {
        packed.write_all(&line).unwrap();
    }
    let packed = packed.finish().unwrap();
    let options = HistoryOptions {
        limits: Limits { text: 16 << 20, workbook: 0 },
        ..HistoryOptions::default()
    };
    let error = read_history(packed.as_slice(), &options).unwrap_err();
    assert!(
        matches!(error, ExportError::TooLarge { .. }) && error.to_string().contains("fewer months")
    );
}

#[test]
fn agents_words_and_later_messages_are_taken_out() {
    let mut history = read(
        "{\"id\":\"1\",\"subject\":\"VPN\",\"body\":\"It is down.\\nResolution: restarted\",\"messages\":[{\"text\":\"done\"}]}\n\
         {\"id\":\"2\",\"subject\":\"Mail\",\"body\":\"No mail.\\nWe moved the mailbox to the new server today\",\"resolution\":\"We moved the mailbox to the new server today.\"}\n\
         {\"id\":\"3\",\"subject\":\"Fine\",\"body\":\"Nothing here: really\"}\n",
    );
    let leaks = strip_leaks(&mut history.tickets);
    let counts: Vec<usize> = leaks.iter().map(|l| l.tickets).collect();
    assert_eq!(counts, [1, 2], "{leaks:?}");
    let bodies: Vec<&str> =
        history.tickets.iter().map(|t| t.resolved.ticket.text.body.as_str()).collect();
    assert_eq!(bodies, ["It is down.", "No mail.", "Nothing here: really"]);
    assert!(history.tickets[0].resolved.ticket.text.messages.is_empty());
}

#[test]
fn form_lines_that_hold_the_label_are_taken_out() {
    let rows = (0..12)
        .map(|n| {
            let group = ["Net", "Mail"][n % 2];
            format!("{n},s,\"Queue: {group}\nPhone: {n}\nbroken {n}\",{group}\n")
        })
        .collect::<Vec<_>>()
        .concat();
    let mut history = read(&format!("id,subject,body,group\n{rows}"));
    let leaks = strip_leaks(&mut history.tickets);
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    assert_eq!((leaks[0].what.as_str(), leaks[0].tickets), ("form line \"queue\"", 12));
    assert_eq!(history.tickets[3].resolved.ticket.text.body, "Phone: 3\nbroken 3");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(sep=[;,]\n)?(subject|created|id|#)[;,](body|group)\n[{}\\[\\]\":,;\n\ta-c0-9/.<>\\\\]{0,200}") {
        if let Ok(mut history) = read_bytes(text.as_bytes()) {
            strip_leaks(&mut history.tickets);
        }
    }
}
