//! Words that the guard knows, in the desk's languages.

use std::sync::LazyLock;

use crate::text::Phrases;

/// The words of a text in lower case.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty())
}

/// Forms that do not begin like their word.
const IRREGULAR: [(&str, &str); 26] = [
    ("came", "come"),
    ("went", "go"),
    ("sent", "send"),
    ("took", "take"),
    ("taken", "take"),
    ("found", "find"),
    ("kept", "keep"),
    ("ran", "run"),
    ("chose", "choose"),
    ("chosen", "choose"),
    ("lost", "lose"),
    ("held", "hold"),
    ("built", "build"),
    ("bought", "buy"),
    ("wrote", "write"),
    ("written", "write"),
    ("broke", "break"),
    ("broken", "break"),
    ("froze", "freeze"),
    ("frozen", "freeze"),
    ("paid", "pay"),
    ("told", "tell"),
    ("began", "begin"),
    ("left", "leave"),
    ("gave", "give"),
    ("saw", "see"),
];

/// Whether two words are forms of one: the same beginning, four letters and three fifths long.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let base = |w| IRREGULAR.iter().find(|(form, _)| *form == w).map_or(w, |(_, base)| *base);
    let (a, b) = (base(a), base(b));
    if a == b {
        return true;
    }
    let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let longer = a.chars().count().max(b.chars().count());
    common >= 4 && common * 5 >= longer * 3 || common == 3 && longer == 4
}

/// Words that carry no claim: grammar, courtesy, and what any instruction is made of.
const PLAIN: &str = "a about after again all also always an and any are as at back be because been \
    before being but by can could did do does done each else end every fix fixed follow following for \
    from gets get getting give gives go goes had has have help helps here how if in instead into is it \
    its just keep let like made make makes making may might more most must need needs new next now of \
    off on once one only open or other our out over own please possible problem put resolve set should \
    show shows since so solved some step steps such take takes than that the their them then there \
    these they thing this those through to too try two under until up use used uses using via was way \
    we were what when where which while who will with within without work works would you your yours \
    der die das ein eine einen einem eines und oder aber ist sind war waren wird werden wurde wurden \
    bitte sie ihr ihre ihren ihrem ihrer wir uns im in am an auf aus bei mit nach seit von vor zu zum \
    zur dann danach da dass weil wenn wieder noch nur auch so für über unter als es ich den dem des \
    können kann lassen lässt sich hat haben jetzt le la les un une des du de et ou mais est sont était \
    sera été vous votre vos nous notre il elle dans sur sous par pour avec sans après puis car comme \
    merci veuillez au aux à en que qui ce cette ces se s d l el los las una uno unos y o pero es son \
    era fue será usted su sus nos nuestro por para con sin después luego porque como del al lo se que \
    favor";

/// Whether a word carries no claim.
pub(super) fn is_plain(word: &str) -> bool {
    static WORDS: LazyLock<std::collections::HashSet<&str>> =
        LazyLock::new(|| PLAIN.split_whitespace().collect());
    word.chars().count() < 3 || WORDS.contains(word)
}

/// Beginnings of words, looked for all at once.
fn beginnings(phrases: &[&str]) -> Phrases {
    Phrases::new(phrases.iter().map(|phrase| format!(" {phrase}")))
}

/// Words with one blank between them and around.
pub(super) fn padded(text: &str) -> String {
    let mut out = String::from(" ");
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’') {
        if !word.is_empty() {
            out.extend(word.chars().map(|c| if c == '’' { '\'' } else { c }));
            out.push(' ');
        }
    }
    out
}

/// Money back, given or waived. Beginnings of words.
const REFUND: [&str; 40] = [
    "refund",
    "reimburs",
    "compensat",
    "credited ",
    "crediting ",
    "a credit ",
    "credit of",
    "discount",
    "free of charge",
    "at no cost",
    "for free",
    "is free ",
    "waive",
    "pay for",
    "paid back",
    "pay you back",
    "get the money",
    "money back",
    "difference back",
    "both payments back",
    "payment back",
    "deposit",
    "pay the missing",
    "erstatt",
    "gutschrift",
    "kostenlos",
    "rabatt",
    "gutschreib",
    "rembours",
    "gratuit",
    "remise de",
    "avoir de",
    "reembols",
    "devolveremos el dinero",
    "devolver el dinero",
    "gratis",
    "descuento",
    "voucher",
    "gift card",
    "goodwill",
];

pub(super) fn refunds(text: &str) -> bool {
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| beginnings(&REFUND));
    PHRASES.are_in(&padded(text))
}

/// Commitments in the desk's own name, and assurances. Beginnings of words.
const PROMISE: [&str; 51] = [
    "we will ",
    "we'll ",
    "i will ",
    "i'll ",
    "we shall ",
    "we promise",
    "i promise",
    "promise",
    "guarantee",
    "we are going to",
    "we have approved",
    "we assure",
    "rest assured",
    "never again",
    "will never",
    "will not happen",
    "will not fail",
    "for ever",
    "forever",
    "for good",
    "permanently",
    "will be delivered",
    "will be approved",
    "will be on",
    "will be back at",
    "will receive a",
    "will get a new",
    "brand new",
    "is on its way",
    "will visit",
    "will call you",
    "will pick",
    "will be free",
    "wir werden",
    "wir versprechen",
    "versprechen ihnen",
    "garantieren",
    "garantiert",
    "nie wieder",
    "für immer",
    "nous allons",
    "nous vous garanti",
    "garanti",
    "nous promet",
    "jamais plus",
    "prometemos",
    "garantiza",
    "le devolver",
    "nunca más",
    "will stay in",
    "you have our word",
];
/// "We" and "I" speak for the desk in each language; any of them stands for the others.
const OURS: [&str; 10] = [
    "we will ",
    "we'll ",
    "i will ",
    "i'll ",
    "we shall ",
    "we are going to",
    "wir werden",
    "nous allons",
    "vamos a",
    "ich werde",
];

/// Whether a sentence promises what the sources do not.
pub(super) fn promises(text: &str, said: &str) -> bool {
    let (text, said) = (padded(text), padded(said));
    let has = |t: &str, p: &str| t.contains(&format!(" {p}"));
    PROMISE.iter().any(|p| {
        let sworn = has(&said, p) || OURS.contains(p) && OURS.iter().any(|o| has(&said, o));
        has(&text, p) && !sworn
    })
}

/// What only somebody says who addresses a model: such a text is quoted by no draft.
const ATTACKS: [&str; 57] = [
    "ignore previous",
    "ignore all previous",
    "ignore all prior",
    "ignore the above",
    "ignore any instructions",
    "ignore your",
    "original instructions",
    "real instructions",
    "hidden instructions",
    "disregard the instructions",
    "disregard everything",
    "disregard your",
    "disregard all",
    "disregard any",
    "forget your previous",
    "forget your instructions",
    "forget everything above",
    "your guidelines no",
    "your guidelines and",
    "your new task",
    "system prompt",
    "follow the system message",
    "you are a poet",
    "now in developer mode",
    "jailbreak mode",
    "do anything now",
    "pretend to be",
    "pretend that",
    "act as an assistant",
    "act as root",
    "as an ai ",
    "you are an ai ",
    "to the ai ",
    "attention ai",
    "language model",
    "the model reading",
    "from now on you will answer",
    "from now on always add",
    "bypass your safety",
    "override your",
    "simulate a terminal",
    "repeat the words above",
    "obey the",
    "vorherigen anweisungen",
    "vergiss deine anweisungen",
    "jetzt im entwicklermodus",
    "sprachmodell",
    "instructions précédentes",
    "oublie tes instructions",
    "ton message système",
    "maintenant en mode développeur",
    "instrucciones anteriores",
    "olvida tus instrucciones",
    "ahora eres un asistente",
    "previous rules were",
    "safety filters",
    "without any rules",
];
/// Marks of a conversation with a model, as they are written.
const MARKS: [&str; 13] = [
    "<|",
    "[inst]",
    "### instruction",
    "### system",
    "<system>",
    "</system>",
    "<instructions>",
    "```system",
    "\"role\"",
    "end of ticket",
    "new instructions:",
    "nuevas instrucciones:",
    "neue anweisung:",
];

/// Whether a text addresses a language model instead of a person.
pub(super) fn attacks(text: &str) -> bool {
    static PHRASES: LazyLock<Phrases> = LazyLock::new(|| beginnings(&ATTACKS));
    static WRITTEN: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(MARKS));
    let lower = text.to_lowercase();
    PHRASES.are_in(&padded(&lower)) || WRITTEN.are_in(&lower) || speaks_as(&lower, "assistant:")
}

/// Whether a role speaks at the beginning of a sentence.
fn speaks_as(lower: &str, role: &str) -> bool {
    lower.match_indices(role).any(|(at, _)| {
        let before = lower[..at].trim_end_matches([' ', '\t']).chars().next_back();
        before.is_none_or(|c| ".!?\n".contains(c))
    })
}

/// What only somebody says who addresses a model, or a model that speaks of itself.
const INSTRUCTIONS: [&str; 31] = [
    "ignore previous",
    "ignore all",
    "disregard",
    "previous instructions",
    "above instructions",
    "system prompt",
    "your instructions",
    "act as",
    "pretend",
    "as an ai",
    "language model",
    "jailbreak",
    "developer mode",
    "do anything now",
    "reveal",
    "repeat the words",
    "new instructions",
    "override",
    "i cannot",
    "i can't",
    "i'm sorry",
    "i am sorry",
    "here is the",
    "here's the",
    "sure here",
    "certainly",
    "vorherigen anweisungen",
    "vorherige anweisungen",
    "instructions précédentes",
    "instrucciones anteriores",
    "sprachmodell",
];

pub(super) fn instructs(text: &str, said: &str) -> bool {
    let (text, said) = (padded(text), padded(said));
    INSTRUCTIONS.iter().any(|p| {
        let p = format!(" {p}");
        text.contains(&p) && !said.contains(&p)
    })
}
