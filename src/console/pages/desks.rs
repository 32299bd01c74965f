//! The desks of an installation where nobody needs an account.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};

pub(in crate::console) fn page(visit: &Visit, desks: &[String]) -> Markup {
    let w = visit.words;
    let content = html! {
        h1 { (w.switch_desk) }
        p.quiet { (w.switch_desk_help) }
        form method="post" action="/desks" {
            (csrf(visit))
            fieldset {
                legend.sr { (w.switch_desk) }
                @for desk in desks {
                    label.check {
                        input type="radio" name="desk" value=(desk) checked[*desk == visit.workspace];
                        " " (desk)
                    }
                }
            }
            div.actions { button.primary { (w.switch) } }
        }
    };
    layout::page(visit, Place::Elsewhere, w.switch_desk, "desks", &content)
}
