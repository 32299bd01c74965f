//! The words of the pages about reports.

use crate::backtest::Stage;
use crate::domain::ReportState;

/// The words of one language.
pub(in crate::console) struct ReportWords {
    pub(in crate::console) title: &'static str,
    pub(in crate::console) help: &'static str,
    pub(in crate::console) file: &'static str,
    pub(in crate::console) options: &'static str,
    pub(in crate::console) map: &'static str,
    pub(in crate::console) map_help: &'static str,
    pub(in crate::console) judged: &'static str,
    pub(in crate::console) dates: &'static str,
    pub(in crate::console) dates_told: &'static str,
    pub(in crate::console) day_first: &'static str,
    pub(in crate::console) month_first: &'static str,
    pub(in crate::console) sheet: &'static str,
    pub(in crate::console) make: &'static str,
    pub(in crate::console) earlier: &'static str,
    pub(in crate::console) no_reports: &'static str,
    pub(in crate::console) no_reports_help: &'static str,
    pub(in crate::console) of: &'static str,
    pub(in crate::console) right: &'static str,
    pub(in crate::console) by: &'static str,
    pub(in crate::console) queued: &'static str,
    pub(in crate::console) running: &'static str,
    pub(in crate::console) done: &'static str,
    pub(in crate::console) failed: &'static str,
    pub(in crate::console) cancelled: &'static str,
    pub(in crate::console) interrupted: &'static str,
    pub(in crate::console) interrupted_help: &'static str,
    pub(in crate::console) cancelled_help: &'static str,
    pub(in crate::console) reading: &'static str,
    pub(in crate::console) embedding: &'static str,
    pub(in crate::console) fitting: &'static str,
    pub(in crate::console) simpler: &'static str,
    pub(in crate::console) learning: &'static str,
    pub(in crate::console) beginning: &'static str,
    pub(in crate::console) months: &'static str,
    pub(in crate::console) doctor: &'static str,
    pub(in crate::console) drafting: &'static str,
    pub(in crate::console) open: &'static str,
    pub(in crate::console) as_html: &'static str,
    pub(in crate::console) as_json: &'static str,
    pub(in crate::console) as_worklist: &'static str,
    pub(in crate::console) cancel: &'static str,
    pub(in crate::console) delete: &'static str,
    pub(in crate::console) deleted: &'static str,
    pub(in crate::console) no_file: &'static str,
    pub(in crate::console) english: &'static str,
    /// Which files are read, up to so many megabytes.
    pub(in crate::console) file_help: fn(u64) -> String,
    /// Who sees a report and when it goes; so many are kept.
    pub(in crate::console) privacy: fn(u32) -> String,
    /// So much of so much.
    pub(in crate::console) steps: fn(&str, &str) -> String,
}

impl ReportWords {
    pub(in crate::console) const fn state(&self, of: ReportState) -> &'static str {
        match of {
            ReportState::Queued => self.queued,
            ReportState::Running => self.running,
            ReportState::Done => self.done,
            ReportState::Failed => self.failed,
            ReportState::Cancelled => self.cancelled,
            ReportState::Interrupted => self.interrupted,
        }
    }

    pub(in crate::console) const fn stage(&self, of: Stage) -> &'static str {
        match of {
            Stage::Reading => self.reading,
            Stage::Embedding => self.embedding,
            Stage::Fitting => self.fitting,
            Stage::Simpler => self.simpler,
            Stage::Learning => self.learning,
            Stage::Beginning => self.beginning,
            Stage::Months => self.months,
            Stage::Labels => self.doctor,
            Stage::Drafting => self.drafting,
        }
    }
}

pub(super) const EN: ReportWords = ReportWords {
    title: "Reports",
    help: "How often would the labels have been right on your own history? Upload an export: the latest fifth of its tickets is judged by what the rest taught. It stays on this machine, and everybody who waits for an answer goes first.",
    file: "Export",
    options: "Where columns are not found",
    map: "Columns by hand (--map)",
    map_help: "FIELD=COLUMN, separated by commas: team=Assigned to, category=Topic",
    judged: "Labels to judge (--label)",
    dates: "Dates such as 03/04/2025 (--dates)",
    dates_told: "as the column tells",
    day_first: "day first",
    month_first: "month first",
    sheet: "Sheet of a workbook (--sheet)",
    make: "Make the report",
    earlier: "Earlier reports",
    no_reports: "No reports yet",
    no_reports_help: "A few hundred tickets with a category or a team are enough. The first page of a report says what came out, in one sentence.",
    of: "Report on",
    right: "Right",
    by: "By",
    queued: "Waiting for its turn",
    running: "Being made",
    done: "Done",
    failed: "Cannot be made",
    cancelled: "Called off",
    interrupted: "Interrupted",
    interrupted_help: "The service stopped before it was done, and the file is gone. Upload it again.",
    cancelled_help: "It was called off before it was done, and the file is gone.",
    reading: "Reading the export",
    embedding: "Embedding the tickets",
    fitting: "Fitting a model and judging it",
    simpler: "Comparing it with simpler means",
    learning: "Learning curve",
    beginning: "From no labels on",
    months: "Month by month",
    doctor: "Looking for wrong labels",
    drafting: "Drafting replies",
    open: "Open the report",
    as_html: "Download as HTML",
    as_json: "Download as JSON",
    as_worklist: "Doubtful labels as CSV",
    cancel: "Call off",
    delete: "Delete",
    deleted: "The report is deleted.",
    no_file: "Choose a file.",
    english: "Reports are in English.",
    file_help: |mb| {
        format!(
            "CSV, XLSX, XLS, ODS or JSON lines, also as .gz, of at most {mb} MB of text: from \
             Zendesk, Jira, ServiceNow, Freshdesk, Zammad, Request Tracker, Redmine and others as \
             it is."
        )
    },
    privacy: |kept| {
        format!(
            "A report shows ids of tickets and the beginnings of some, redacted, to leads of this \
             desk. The newest {kept} are kept. Erasing a ticket or a person on this desk deletes all \
             of its reports, and none outlives the time that the desk keeps tickets. The uploaded \
             file is never kept."
        )
    },
    steps: |done, of| format!("{done} of {of}"),
};

pub(super) const DE: ReportWords = ReportWords {
    title: "Berichte",
    help: "Wie oft hätten die Etiketten auf Ihrer eigenen Historie gestimmt? Laden Sie einen Export hoch: Das jüngste Fünftel der Tickets wird an dem gemessen, was die übrigen lehrten. Alles bleibt auf dieser Maschine, und wer auf eine Antwort wartet, kommt zuerst dran.",
    file: "Export",
    options: "Wenn Spalten nicht gefunden werden",
    map: "Spalten von Hand (--map)",
    map_help: "FELD=SPALTE, durch Kommas getrennt: team=Assigned to, category=Topic",
    judged: "Etiketten, die beurteilt werden (--label)",
    dates: "Daten wie 03/04/2025 (--dates)",
    dates_told: "wie die Spalte es zeigt",
    day_first: "Tag zuerst",
    month_first: "Monat zuerst",
    sheet: "Blatt einer Arbeitsmappe (--sheet)",
    make: "Bericht erstellen",
    earlier: "Frühere Berichte",
    no_reports: "Noch keine Berichte",
    no_reports_help: "Einige Hundert Tickets mit Kategorie oder Team genügen. Der Anfang eines Berichts sagt in einem Satz, was herauskam.",
    of: "Bericht über",
    right: "Richtig",
    by: "Von",
    queued: "Wartet, bis es an der Reihe ist",
    running: "Wird erstellt",
    done: "Fertig",
    failed: "Nicht möglich",
    cancelled: "Abgebrochen",
    interrupted: "Unterbrochen",
    interrupted_help: "Der Dienst wurde beendet, bevor er fertig war; die Datei ist gelöscht. Laden Sie sie erneut hoch.",
    cancelled_help: "Er wurde abgebrochen, bevor er fertig war; die Datei ist gelöscht.",
    reading: "Der Export wird gelesen",
    embedding: "Die Tickets werden eingebettet",
    fitting: "Ein Modell wird angepasst und beurteilt",
    simpler: "Vergleich mit einfacheren Mitteln",
    learning: "Lernkurve",
    beginning: "Von null Etiketten an",
    months: "Monat für Monat",
    doctor: "Falsche Etiketten werden gesucht",
    drafting: "Antworten werden entworfen",
    open: "Bericht öffnen",
    as_html: "Als HTML herunterladen",
    as_json: "Als JSON herunterladen",
    as_worklist: "Zweifelhafte Etiketten als CSV",
    cancel: "Abbrechen",
    delete: "Löschen",
    deleted: "Der Bericht ist gelöscht.",
    no_file: "Wählen Sie eine Datei.",
    english: "Berichte sind auf Englisch.",
    file_help: |mb| {
        format!(
            "CSV, XLSX, XLS, ODS oder JSON-Zeilen, auch als .gz, mit höchstens {mb} MB Text: aus \
             Zendesk, Jira, ServiceNow, Freshdesk, Zammad, Request Tracker, Redmine und anderen, \
             so wie er ist."
        )
    },
    privacy: |kept| {
        format!(
            "Ein Bericht zeigt Ticketnummern und geschwärzte Anfänge einiger Tickets, und zwar den \
             Leitungen dieses Arbeitsbereichs. Die neuesten {kept} bleiben. Wird hier ein Ticket \
             oder eine Person gelöscht, gehen alle Berichte des Arbeitsbereichs mit, und keiner \
             bleibt länger als dessen Tickets. Die hochgeladene Datei wird nicht aufbewahrt."
        )
    },
    steps: |done, of| format!("{done} von {of}"),
};
