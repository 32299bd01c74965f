//! Which system an export comes from, and which of its columns are only filled in later.

use std::fmt;

use crate::exports::columns::{Field, plain};

/// A ticketing system, by its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Zendesk.
    Zendesk,
    /// Jira and Jira Service Management.
    Jira,
    /// ServiceNow.
    ServiceNow,
    /// Freshdesk and Freshservice.
    Freshdesk,
    /// Zammad.
    Zammad,
    /// Request Tracker.
    RequestTracker,
    /// Redmine.
    Redmine,
}

impl System {
    /// Columns that a system has and others have not; two of them tell it.
    const SIGNS: [(Self, &'static [&'static str]); 7] = [
        (
            Self::Zendesk,
            &[
                "groupstations",
                "assigneestations",
                "requesterexternalid",
                "ticketform",
                "solvedat",
                "firstreplytimeinminutes",
                "satisfactionscore",
                "initiallyassignedat",
                "via",
                "submittername",
                "requesteremail",
                "submitterid",
            ],
        ),
        (
            Self::Jira,
            &[
                "issuekey",
                "issuetype",
                "issueid",
                "projectkey",
                "projecttype",
                "fixversions",
                "components",
                "customfieldrequesttype",
                "reporterid",
                "statuscategory",
            ],
        ),
        (
            Self::ServiceNow,
            &[
                "shortdescription",
                "assignmentgroup",
                "closenotes",
                "callerid",
                "syscreatedon",
                "reassignmentcount",
                "contacttype",
                "sysid",
                "worknotes",
                "closecode",
                "configurationitem",
                "cmdbci",
            ],
        ),
        (
            Self::Freshdesk,
            &[
                "ticketid",
                "agentinteractions",
                "customerinteractions",
                "firstresponsetimeinhrs",
                "resolutiontimeinhrs",
                "resolutionstatus",
                "firstresponsestatus",
                "createdtime",
                "closedtime",
                "requesteremail",
            ],
        ),
        (
            Self::Zammad,
            &[
                "closeat",
                "firstresponseat",
                "createarticletype",
                "articlecount",
                "organization",
                "pendingtime",
                "customerid",
                "lastcontactat",
                "escalationat",
            ],
        ),
        (
            Self::RequestTracker,
            &[
                "requestors",
                "told",
                "timeworked",
                "adminccs",
                "lastupdatedby",
                "timeleft",
                "finalpriority",
                "queue",
            ],
        ),
        (
            Self::Redmine,
            &[
                "tracker",
                "targetversion",
                "estimatedtime",
                "done",
                "parenttask",
                "spenttime",
                "lastupdatedby",
                "relatedissues",
            ],
        ),
    ];

    /// The system whose columns these look like.
    pub(super) fn of(columns: &[String]) -> Option<Self> {
        let columns: Vec<String> = columns.iter().map(|c| plain(c)).collect();
        let signs = |signs: &[&str]| columns.iter().filter(|c| signs.contains(&c.as_str())).count();
        let best = Self::SIGNS.iter().map(|(system, of)| (signs(of), system));
        // Of equals the first.
        let best = best.rev().max_by_key(|(n, _)| *n);
        best.filter(|(n, _)| *n >= 2).map(|(_, system)| *system)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zendesk => "Zendesk",
            Self::Jira => "Jira",
            Self::ServiceNow => "ServiceNow",
            Self::Freshdesk => "Freshdesk",
            Self::Zammad => "Zammad",
            Self::RequestTracker => "Request Tracker",
            Self::Redmine => "Redmine",
        })
    }
}

/// A column that holds what is only known after a ticket was routed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// Its name.
    pub column: String,
    /// Why no model may see it.
    pub why: String,
}

/// Parts of the names of columns that are filled in later, and when.
const LATER: [(&str, &[&str]); 5] = [
    (
        "written by agents, after the ticket was routed",
        &[
            "closenote",
            "worknote",
            "comment",
            "resolutionnote",
            "closurenote",
            "solution",
            "answer",
            "note",
            "additionalcomments",
            "journal",
            "reply",
            "latest",
            "workinfo",
            "correspond",
        ],
    ),
    (
        "set when the ticket was solved",
        &[
            "resol",
            "close",
            "closing",
            "solved",
            "closecode",
            "rootcause",
            "rca",
            "fixversion",
            "knowledge",
        ],
    ),
    (
        "set when the ticket was routed or worked on",
        &[
            "assign",
            "agent",
            "owner",
            "technician",
            "group",
            "team",
            "queue",
            "escalat",
            "reassign",
            "handedover",
            "station",
            "actual",
            "workedon",
            "businessduration",
        ],
    ),
    (
        "measured after the ticket was routed",
        &[
            "sla",
            "duration",
            "elapsed",
            "timespent",
            "timeworked",
            "firstresponse",
            "responsetime",
            "reopen",
            "interactions",
            "satisfaction",
            "survey",
            "rating",
            "updated",
            "modified",
            "duedate",
            "breach",
            "timeinstatus",
            "wait",
        ],
    ),
    ("the state at the time of the export", &["status", "state", "stage"]),
];

/// Columns of an export that hold what is only known later. Those that are taken for a label or an
/// outcome are among them: no model sees them, they are what is to be told.
pub(super) fn late(columns: &[(Field, String)], unused: &[String]) -> Vec<Late> {
    let mut late = Vec::new();
    for (field, column) in columns {
        let why = match field {
            Field::Resolution => LATER[0].0,
            Field::Resolved => LATER[1].0,
            Field::Minutes => LATER[3].0,
            Field::Path | Field::Handovers => LATER[2].0,
            Field::Category | Field::Team | Field::Priority => "it is what is to be told",
            _ => continue,
        };
        late.push(Late { column: column.clone(), why: why.to_owned() });
    }
    for column in unused {
        let name = plain(column);
        let why = LATER.iter().find(|(_, parts)| parts.iter().any(|part| name.contains(part)));
        if let Some((why, _)) = why {
            late.push(Late { column: column.clone(), why: (*why).to_owned() });
        }
    }
    late
}
