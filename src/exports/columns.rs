//! Which column holds which field.

use std::fmt;
use std::str::FromStr;

use super::ExportError;

macro_rules! fields {
    ($($variant:ident $name:literal: $doc:literal, [$($column:literal),*];)*) => {
        /// What a column may hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Field {
            $(#[doc = $doc] $variant,)*
        }

        impl Field {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As `--map` calls it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Names that common systems give such a column, likeliest first: lower case, letters
            /// and digits only.
            const fn usual_names(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($column),*],)* }
            }
        }
    };
}

fields! {
    Id "id": "The ticket's id in its system.",
        ["id", "ticketid", "number", "issuekey", "key", "ticketnumber", "ticket", "issueid", "ref"];
    System "system": "The ticketing system that the id belongs to.",
        ["system", "sourcesystem"];
    Subject "subject": "The subject line.",
        ["subject", "summary", "title", "shortdescription", "ticketsubject", "betreff", "thema",
         "titel", "sujet", "objet", "asunto", "oggetto", "onderwerp"];
    Body "body": "The first message.",
        ["body", "description", "content", "text", "message", "details", "ticketdescription",
         "firstmessage", "beschreibung", "nachricht", "descripción", "descrizione", "omschrijving"];
    Messages "messages": "The thread; JSON lines only.",
        ["messages"];
    Requester "requester": "Who asked.",
        ["requester", "requestor", "requestors", "requestername", "reporter", "caller", "callerid",
         "openedby", "customer", "from", "contactid", "author", "fullname"];
    Created "created_at": "When it was asked.",
        ["createdat", "created", "openedat", "opened", "createdon", "createdate", "creationdate",
         "createddate", "createdtime", "syscreatedon", "erstellt", "erstelltam", "angelegt",
         "eröffnet", "créé", "crééle", "creado", "creato", "aangemaakt"];
    Resolved "resolved_at": "When it was solved.",
        ["resolvedat", "resolved", "solvedat", "closedat", "closed", "closeat", "resolvedtime",
         "closedtime", "closedon", "resolutiondate", "gelöst", "geschlossen"];
    Category "category": "What it was about.",
        ["category", "categoryname", "topic", "servicecategory", "cfcategory", "requesttype",
         "customfieldrequesttype", "customerrequesttype", "components", "component", "kategorie",
         "catégorie", "categoría", "categoria", "categorie", "issuetype", "tickettype", "type",
         "tracker"];
    Team "team": "Who solved it.",
        ["team", "assignmentgroup", "assignedgroup", "group", "queue", "assignedteam", "ownerteam",
         "groupname", "cfteam", "gruppe", "bearbeitergruppe", "groupe", "grupo", "gruppo", "groep"];
    Priority "priority": "How urgent it was.",
        ["priority", "urgency", "severity", "priorität", "priorité", "prioridad"];
    Resolution "resolution": "How it was solved.",
        ["resolution", "closenotes", "resolutionnotes", "solution", "answer", "closurenotes",
         "resolutiondescription", "lösung"];
    Minutes "handling_minutes": "Working time in minutes.",
        ["handlingminutes", "timespentminutes", "minutes", "timeworked"];
    Url "url": "Where a person can open it.",
        ["url", "link", "ticketurl"];
    Thread "thread": "The ticket whose thread it belongs to: a parent, or what it was merged into.",
        ["thread", "threadid", "parent", "parentid", "parentkey", "parenttask", "parentticket",
         "parentincident", "mergedinto", "mergedto", "memberof", "conversationid"];
    Path "team_history": "The teams it went through, in turn.",
        ["teamhistory", "grouphistory", "assignmentgrouphistory", "queuehistory"];
    Handovers "handovers": "How often it was handed over.",
        ["handovers", "reassignmentcount", "reassignments", "groupreassignments", "teamchanges"];
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Columns named by hand: `subject=Summary,team=Assigned to`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnMap(Vec<(Field, String)>);

/// A `--map` that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A part without `=`.
    #[error("{0:?}: expected FIELD=COLUMN, for example subject=Summary")]
    NoPair(String),
    /// A field that there is not.
    #[error("{0:?} is no field; there are: {names}", names = fields())]
    NoField(String),
}

fn fields() -> String {
    Field::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for ColumnMap {
    type Err = MapError;

    fn from_str(text: &str) -> Result<Self, MapError> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (field, column) =
                pair.split_once('=').ok_or_else(|| MapError::NoPair(pair.to_owned()))?;
            let field = Field::ALL
                .iter()
                .find(|f| f.name() == field.trim())
                .ok_or_else(|| MapError::NoField(field.trim().to_owned()))?;
            Ok((*field, column.trim().to_owned()))
        };
        pairs.map(pair).collect::<Result<_, _>>().map(Self)
    }
}

/// Fields found among a file's columns.
#[derive(Debug)]
pub(super) struct Found {
    /// Field, column position, column name.
    fields: Vec<(Field, usize, String)>,
    pub(super) unused: Vec<String>,
}

impl Found {
    /// Looks for every field: by hand-given name first, then by its usual ones.
    pub(super) fn among(columns: &[String], map: &ColumnMap) -> Result<Self, ExportError> {
        let list = || columns.join(", ");
        let mut fields: Vec<(Field, usize, String)> = Vec::new();
        for (field, name) in &map.0 {
            let at = columns.iter().position(|c| c == name).ok_or_else(|| {
                ExportError::NoSuchColumn { field: *field, column: name.clone(), found: list() }
            })?;
            fields.push((*field, at, name.clone()));
        }
        for &field in Field::ALL {
            if fields.iter().any(|f| f.0 == field) {
                continue;
            }
            let free = |at: &usize| !fields.iter().any(|f| f.1 == *at);
            let usual = field
                .usual_names()
                .iter()
                .find_map(|name| columns.iter().position(|c| plain(c) == *name).filter(free));
            if let Some(at) = usual {
                fields.push((field, at, columns[at].clone()));
            }
        }
        if !fields.iter().any(|f| matches!(f.0, Field::Subject | Field::Body)) {
            let example = columns.first().cloned().unwrap_or_default();
            return Err(ExportError::NoText { found: list(), example });
        }
        let used = |at: usize| fields.iter().any(|f| f.1 == at);
        let unused =
            columns.iter().enumerate().filter(|(at, _)| !used(*at)).map(|(_, c)| c.clone());
        let unused = unused.collect();
        Ok(Self { fields, unused })
    }

    /// Position and name of a field's column.
    pub(super) fn column(&self, field: Field) -> Option<(usize, &str)> {
        self.fields.iter().find(|f| f.0 == field).map(|f| (f.1, f.2.as_str()))
    }

    pub(super) fn pairs(&self) -> Vec<(Field, String)> {
        self.fields.iter().map(|f| (f.0, f.2.clone())).collect()
    }
}

/// A column's name as names are compared: letters and digits in lower case. Redmine and Zammad
/// call the number `#`.
pub(super) fn plain(column: &str) -> String {
    if column.trim() == "#" {
        return "number".to_owned();
    }
    column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
