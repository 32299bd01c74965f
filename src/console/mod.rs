//! The console: pages for people, rendered here and embedded in the program.
//!
//! `routes` reads what a page shows and does what a form asks for; `pages` renders, purely;
//! `words` holds every word, in every language; `assets` the style and the scripts. Every page works
//! as plain HTML with forms; scripts add keys, liveliness and a memory for what was typed.

mod assets;
mod desk;
mod pages;
mod presence;
mod routes;
mod words;

use std::sync::Arc;

use crate::http::Pages;
use crate::reports::Reports;

/// The console's routes.
pub fn routes(reports: &Arc<Reports>) -> Pages {
    Pages {
        quick: routes::routes(Arc::clone(reports)).merge(assets::routes()),
        streams: routes::streams(Arc::clone(reports)),
    }
}
