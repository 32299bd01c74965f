//! What the words before a number say it is.

use super::units::Units;
use super::words::{Words, words};

/// What a number is, by the nearest word before it that tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// "call me on", "Tel."
    Phone,
    /// "order", "serial", "ticket": a thing's number, nobody's.
    Thing,
    /// "tax id", "SSN".
    Person,
    /// "version", "build", or a product's name.
    Version,
    /// "server", "ping".
    Address,
    /// Nothing tells.
    None,
}

/// Reads the words before a place.
pub(super) fn cue(units: &Units, place: usize) -> Cue {
    let words = units.words_before(place, 5);
    words.iter().map(|word| of_word(word)).find(|cue| *cue != Cue::None).unwrap_or(Cue::None)
}

/// What a word says about the number behind it.
pub(super) fn of_word(word: &str) -> Cue {
    let is = |list: &Words| list.contains(word);
    let starts = |list: &str| list.split_ascii_whitespace().any(|start| word.starts_with(start));
    if is(&PHONE) || starts(PHONE_STARTS) {
        Cue::Phone
    } else if is(&PERSON) || starts(PERSON_STARTS) {
        Cue::Person
    } else if is(&VERSION) || starts(VERSION_STARTS) {
        Cue::Version
    } else if is(&THING) || starts(THING_STARTS) || word.ends_with("nummer") {
        Cue::Thing
    } else if is(&ADDRESS) {
        Cue::Address
    } else {
        Cue::None
    }
}

static PHONE: Words = Words::new(|| {
    words(
        "\
    tel phone phones telephone téléphone mobile cell cellphone cellulare call calls called calling \
    dial dials ring appeler appelez appelle joindre joignable portable natel móvil llamar llama \
    llame llámame llamadme llámeme whatsapp sms hotline landline reach erreichbar erreichen ligne \
    línea linea callback gsm direct",
    )
});
const PHONE_STARTS: &str = "\
    telef teléf handy mobil fax rückruf anruf festnetz durchwahl mobiel";

static PERSON: Words = Words::new(|| {
    words(
        "\
    ssn nino ni ahv avs dni nie nif nir sécu social insurance tax steuer idnr steueridnr fiscale \
    fiscal aadhaar aadhar personnummer identifikationsnummer steueridentifikationsnummer \
    sozialversicherungsnummer tin",
    )
});
const PERSON_STARTS: &str = "sozialvers steuerid ahvn";

static VERSION: Words = Words::new(|| {
    words(
        "\
    version versions versión versione versionen ver v build release rel firmware fw driver drivers \
    treiber patch patchlevel hotfix plugin addin client clients agent app bios uefi os macos ios \
    ipados android windows linux chrome firefox edge safari java jdk jre anyconnect globalprotect \
    forticlient acrobat reader adobe office outlook teams zoom slack citrix vmware tools installed \
    installer installiert installé instalada instalado setup sdk runtime framework kernel package \
    paket msi connector extension add",
    )
});
const VERSION_STARTS: &str = "upgrad updat aktualis actualiz versionsn";

static THING: Words = Words::new(|| {
    words(
        "\
    order orders ticket tickets inc incident case ref reference referenz serial serials seriennr sn \
    n invoice invoices customer contract contrat contrato article artikel artículo asset inventory \
    tag badge po imei imeis iccid sim ean gtin upc isbn part parts item items lot batch tracking \
    shipment colis pedido commande facture factura série serie job id ids error fehler erreur event \
    pid row rows record records document vendor supplier kreditor debitor account compte cuenta \
    employee matricule empleado meter compteur contador model modell modèle modelo size bytes offset \
    timestamp query transaction booking quote angebot license licence lizenz material seal room raum \
    pnr msgid barcode",
    )
});
const THING_STARTS: &str = "\
    bestell auftrag rechnung beleg kunden vertrag inventar sendung ausweis ereignis personal artikel \
    serien zähler lieferschein vorgang";

static ADDRESS: Words = Words::new(|| {
    words(
        "\
    ip ips ipv address addresses adresse adressen dirección dns gateway server serveur servidor host \
    hosts ping subnet netz network route tracert traceroute firewall ssh rdp http https vlan dhcp \
    proxy router switch resolver from peer nslookup telnet von",
    )
});
