//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

use super::marks::plain;
use super::{Theme, Visit};
use crate::console::assets::address;
use crate::console::words;
use crate::domain::Scope;

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) enum Place {
    Queue,
    Try,
    Quality,
    Policy,
    Bundles,
    Labels,
    Imports,
    Reports,
    Keys,
    Audit,
    /// None of these.
    Elsewhere,
}

/// A whole page. `script` names what the scripts do on it.
pub(in crate::console) fn page(
    visit: &Visit,
    place: Place,
    title: &str,
    script: &str,
    content: &Markup,
) -> Markup {
    let w = visit.words;
    let theme = (visit.theme != Theme::System).then(|| visit.theme.name());
    html! {
        (DOCTYPE)
        html lang=(w.code) data-theme=[theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (plain(title)) " · Deskhand" }
                link rel="icon" href=(address("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(address("console.css"));
                link rel="modulepreload" href=(address("core.js"));
                script type="module" src=(address("console.js")) {}
            }
            body data-page=(script) data-csrf=(visit.csrf) data-me=(visit.name)
                data-words=(w.for_scripts()) {
                a.skip href="#main" { (w.skip_to_content) }
                (header(visit, place))
                div #notes role="status" aria-live="polite" {}
                main #main tabindex="-1" { (content) }
                (footer(visit))
            }
        }
    }
}

fn header(visit: &Visit, place: Place) -> Markup {
    let w = visit.words;
    let agent =
        [(Place::Queue, "/", w.queue, Scope::Agent), (Place::Try, "/try", w.try_it, Scope::Triage)];
    let lead = [
        (Place::Quality, "/quality", w.quality, Scope::Lead),
        (Place::Policy, "/policy", w.policy, Scope::Lead),
        (Place::Bundles, "/bundles", w.bundles, Scope::Lead),
        (Place::Labels, "/labels", w.labels, Scope::Lead),
        (Place::Imports, "/imports", w.imports, Scope::Lead),
        (Place::Reports, "/reports", w.reports.title, Scope::Lead),
        (Place::Keys, "/keys", w.keys, Scope::Admin),
        (Place::Audit, "/audit", w.audit, Scope::Lead),
    ];
    let link = |(at, path, name, scope): (Place, &str, &str, Scope)| {
        html! {
            @if visit.may(scope) {
                li { a href=(path) aria-current=[(at == place).then_some("page")] { (name) } }
            }
        }
    };
    html! {
        header.top {
            a.brand href="/" { "Deskhand" }
            @if visit.scopes.is_some() {
                nav aria-label=(w.main_navigation) {
                    ul {
                        @for entry in agent { (link(entry)) }
                        @if visit.may(Scope::Lead) { li.between aria-hidden="true" {} }
                        @for entry in lead { (link(entry)) }
                    }
                }
                div.who {
                    @if visit.signed_in() {
                        span.quiet { (visit.name) " · " }
                        a.quiet href="/desks" title=(w.switch_desk) { (visit.workspace) }
                        form method="post" action="/sign-out" {
                            (csrf(visit))
                            button.link { (w.sign_out) }
                        }
                    } @else {
                        a.quiet href="/desks" title=(w.switch_desk) { (visit.workspace) }
                    }
                }
            }
        }
    }
}

fn footer(visit: &Visit) -> Markup {
    let w = visit.words;
    html! {
        footer {
            form.preferences method="post" action="/preferences" {
                (csrf(visit))
                input type="hidden" name="next" value=(visit.here);
                label for="language" { (w.language) }
                select #language name="language" {
                    @for language in words::ALL {
                        option value=(language.code) lang=(language.code)
                            selected[language.code == w.code] { (language.own_name) }
                    }
                }
                label for="theme" { (w.theme) }
                select #theme name="theme" {
                    @for theme in Theme::ALL {
                        option value=(theme.name()) selected[theme == visit.theme] {
                            (w.theme_name(theme.name()))
                        }
                    }
                }
                button.small { (w.set) }
            }
            button #show-keys.small type="button" hidden { kbd { "?" } " " (w.keyboard) }
        }
    }
}

/// What every form carries.
pub(in crate::console) fn csrf(visit: &Visit) -> Markup {
    html! { input type="hidden" name="csrf" value=(visit.csrf); }
}
