//! The month names in the languages of Europe, and the word for the total above a listing.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::charsets::readings;
use crate::protocol::time::parse_month;

/// Returns the number of a month name, in upper or lower case, in UTF-8 or in an older encoding of
/// its language; a full stop or a comma may follow it. Some servers append the month's number,
/// counted from 0 or from 1 and possibly cut to its last digit.
///
/// `croatian` decides the meaning of `lip`, `srp` and `lis`, which stand for other months in
/// Croatian than in Polish and Czech.
pub(in crate::protocol::listing) fn parse_month_name(word: &[u8], croatian: bool) -> Option<u8> {
    // Most names are English.
    if let Some(month) = parse_month(word) {
        return Some(month);
    }
    let end = word.iter().rposition(|byte| !b".,".contains(byte))? + 1;
    let name_end = word[..end].iter().rposition(|byte| !byte.is_ascii_digit())? + 1;
    let (name, number) = word[..end].split_at(name_end);
    let month = readings(name).find_map(|name| look_up(&name, croatian))?;
    fits_number(month, number).then_some(month)
}

fn look_up(name: &str, croatian: bool) -> Option<u8> {
    let croatian = croatian.then(|| croatian_months().get(name)).flatten();
    croatian.or_else(|| months().get(name)).copied()
}

fn fits_number(month: u8, digits: &[u8]) -> bool {
    let written = |month: u8| match *digits {
        [] => true,
        [one] => one - b'0' == month % 10,
        [tens, ones] => (tens - b'0') * 10 + (ones - b'0') == month,
        _ => false,
    };
    written(month) || written(month - 1)
}

/// Returns whether a word is a Croatian month name that no other language has. If so, `lip` means
/// June.
pub(in crate::protocol::listing) fn is_croatian(word: &[u8]) -> bool {
    // Only these initial letters occur, so most words are rejected cheaply.
    let begins = word.first().is_some_and(|first| b"klorstv".contains(&first.to_ascii_lowercase()));
    let is_its_own =
        |name: String| croatian_months().contains_key(&*name) && !months().contains_key(&*name);
    begins && readings(word).any(is_its_own)
}

/// Returns whether a word means "total", as in the line `total 12` above a listing.
pub(in crate::protocol::listing) fn is_total(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word);
    readings(word).any(|word| TOTAL.contains(&&*word))
}

fn months() -> &'static HashMap<&'static str, u8> {
    static MONTHS: OnceLock<HashMap<&str, u8>> = OnceLock::new();
    MONTHS.get_or_init(|| LANGUAGES.iter().flat_map(names).collect())
}

fn croatian_months() -> &'static HashMap<&'static str, u8> {
    static MONTHS: OnceLock<HashMap<&str, u8>> = OnceLock::new();
    MONTHS.get_or_init(|| names(&CROATIAN).collect())
}

fn names(language: &[&'static str; 12]) -> impl Iterator<Item = (&'static str, u8)> {
    let months = (1u8..).zip(language);
    months.flat_map(|(month, names)| names.split(' ').map(move |name| (name, month)))
}

/// The long and short names of each month in each language. No name stands for two months.
#[rustfmt::skip]
const LANGUAGES: &[[&str; 12]] = &[
    // English
    [
        "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
        "august aug", "september sept sep", "october oct", "november nov", "december dec",
    ],
    // German
    [
        "januar jan jänner jän", "februar feb feber", "märz mär mrz", "april apr", "mai",
        "juni jun", "juli jul", "august aug", "september sept sep", "oktober okt", "november nov",
        "dezember dez",
    ],
    // French
    [
        "janvier janv jan", "février fevrier févr fevr fév fev féb", "mars mar mrs", "avril avr",
        "mai", "juin", "juillet juil jul jui", "août aout aoû aou", "septembre sept sep",
        "octobre oct", "novembre nov", "décembre decembre déc dec",
    ],
    // Italian
    [
        "gennaio gen", "febbraio feb", "marzo mar", "aprile apr", "maggio mag", "giugno giu",
        "luglio lug", "agosto ago", "settembre sett set", "ottobre ott", "novembre nov",
        "dicembre dic",
    ],
    // Spanish
    [
        "enero ene", "febrero feb fbro", "marzo mar mzo", "abril abr ab", "mayo may", "junio jun",
        "julio jul", "agosto ago agto", "septiembre setiembre sept sep set sbre",
        "octubre oct obre", "noviembre nov nbre", "diciembre dic dbre",
    ],
    // Portuguese
    [
        "janeiro jan", "fevereiro fev", "março mar", "abril abr", "maio mai", "junho jun",
        "julho jul", "agosto ago", "setembro set", "outubro out", "novembro nov", "dezembro dez",
    ],
    // Catalan
    [
        "gener gen", "febrer febr feb", "març mar", "abril abr", "maig mai", "juny jun",
        "juliol jul", "agost ag ago", "setembre set", "octubre oct", "novembre nov",
        "desembre des",
    ],
    // Galician
    [
        "xaneiro xan", "febreiro feb", "marzo mar", "abril abr", "maio mai", "xuño xuñ",
        "xullo xul", "agosto ago", "setembro set", "outubro out", "novembro nov", "decembro dec",
    ],
    // Dutch
    [
        "januari jan", "februari feb", "maart mrt", "april apr", "mei", "juni jun", "juli jul",
        "augustus aug", "september sep", "oktober okt", "november nov", "december dec",
    ],
    // Danish and Norwegian
    [
        "januar jan", "februar feb", "marts mars mar", "april apr", "maj mai", "juni jun",
        "juli jul", "august aug", "september sep", "oktober okt", "november nov",
        "december desember dec des",
    ],
    // Swedish
    [
        "januari jan", "februari feb", "mars mar", "april apr", "maj", "juni jun", "juli jul",
        "augusti aug", "september sep", "oktober okt", "november nov", "december dec",
    ],
    // Icelandic
    [
        "janúar jan", "febrúar feb", "mars mar", "apríl apr", "maí", "júní jún", "júlí júl",
        "ágúst ágú ág", "september sep", "október okt", "nóvember nóv", "desember des",
    ],
    // Finnish
    [
        "tammikuu tammi", "helmikuu helmi", "maaliskuu maalis", "huhtikuu huhti",
        "toukokuu touko", "kesäkuu kesä", "heinäkuu heinä", "elokuu elo", "syyskuu syys",
        "lokakuu loka", "marraskuu marras", "joulukuu joulu",
    ],
    // Estonian
    [
        "jaanuar jaan", "veebruar veebr", "märts", "aprill apr", "mai", "juuni", "juuli",
        "august aug", "september sept", "oktoober okt", "november nov", "detsember dets",
    ],
    // Latvian
    [
        "janvāris janv jan", "februāris febr feb", "marts mar", "aprīlis apr", "maijs mai",
        "jūnijs jūn", "jūlijs jūl", "augusts aug", "septembris sept sep", "oktobris okt",
        "novembris nov", "decembris dec",
    ],
    // Lithuanian
    [
        "sausio saus sau", "vasario vas", "kovo kov", "balandžio bal", "gegužės geg",
        "birželio birž bir", "liepos liep lie", "rugpjūčio rugp rgp", "rugsėjo rugs rgs",
        "spalio spal spa", "lapkričio lapkr lap", "gruodžio gruod grd",
    ],
    // Polish
    [
        "stycznia styczeń sty", "lutego luty lut", "marca marzec mar", "kwietnia kwiecień kwi",
        "maja maj", "czerwca czerwiec cze", "lipca lipiec lip", "sierpnia sierpień sie",
        "września wrzesień wrz", "października październik paź paz", "listopada listopad lis",
        "grudnia grudzień gru",
    ],
    // Czech
    [
        "ledna leden led", "února únor úno", "března březen bře", "dubna duben dub",
        "května květen kvě", "června červen čen čer", "července červenec čec", "srpna srpen srp",
        "září zář", "října říjen říj", "listopadu listopad lis", "prosince prosinec pro",
    ],
    // Slovak
    [
        "január jan", "február feb", "marec mar", "apríl apr", "máj", "jún", "júl", "august aug",
        "september sep", "október okt", "november nov", "december dec",
    ],
    // Hungarian
    [
        "január jan", "február febr feb", "március márc már", "április ápr", "május máj",
        "június jún", "július júl", "augusztus aug", "szeptember szept szep", "október okt",
        "november nov", "december dec",
    ],
    // Romanian
    [
        "ianuarie ian", "februarie feb", "martie mar", "aprilie apr", "mai", "iunie iun",
        "iulie iul", "august aug", "septembrie sept sep", "octombrie oct", "noiembrie noi",
        "decembrie dec",
    ],
    // Slovenian
    [
        "januar jan", "februar feb", "marec mar", "april apr", "maj", "junij jun", "julij jul",
        "avgust avg", "september sep", "oktober okt", "november nov", "december dec",
    ],
    // Serbian and Bosnian
    [
        "januar jan", "februar feb", "mart mar", "april apr", "maj", "juni jun", "juli jul",
        "avgust avg", "septembar sep", "oktobar okt", "novembar nov", "decembar dec",
    ],
    // Albanian
    [
        "janar jan", "shkurt shk", "mars mar", "prill pri", "maj", "qershor qer",
        "korrik korr kor", "gusht gus", "shtator sht", "tetor tet", "nëntor nën", "dhjetor dhj",
    ],
    // Turkish
    [
        "ocak oca", "şubat şub", "mart mar", "nisan nis", "mayıs mayis may", "haziran haz",
        "temmuz tem", "ağustos ağu", "eylül eyl", "ekim eki", "kasım kasim kas",
        "aralık aralik ara",
    ],
    // Irish
    [
        "eanáir ean", "feabhra feabh", "márta", "aibreán aib", "bealtaine beal",
        "meitheamh meith", "iúil", "lúnasa lún", "mfómh", "dfómh", "samhain samh", "nollaig noll",
    ],
    // Welsh
    [
        "ionawr ion", "chwefror chwef chw", "mawrth maw", "ebrill ebr", "mai", "mehefin meh",
        "gorffennaf gorff gor", "awst aws", "medi med", "hydref hyd", "tachwedd tach tac",
        "rhagfyr rhag rha",
    ],
    // Basque
    [
        "urtarrila urt", "otsaila ots", "martxoa mar", "apirila api", "maiatza mai", "ekaina eka",
        "uztaila uzt", "abuztua abu", "iraila ira", "urria urr", "azaroa aza", "abendua abe",
    ],
    // Maltese
    [
        "jannar jan", "frar fra", "marzu mar", "april apr", "mejju mej", "ġunju ġun", "lulju lul",
        "awwissu aww", "settembru set", "ottubru ott", "novembru nov", "diċembru diċ",
    ],
    // Luxembourgish
    [
        "januar jan", "februar feb", "mäerz mäe", "abrëll abr", "mee", "juni jun", "juli jul",
        "august aug", "september sep", "oktober okt", "november nov", "dezember dez",
    ],
    // Russian
    [
        "января январь янв", "февраля февраль фев", "марта март мар", "апреля апрель апр",
        "мая май", "июня июнь июн", "июля июль июл", "августа август авг",
        "сентября сентябрь сен", "октября октябрь окт", "ноября ноябрь ноя",
        "декабря декабрь дек",
    ],
    // Ukrainian
    [
        "січня січень січ", "лютого лютий лют", "березня березень бер", "квітня квітень кві",
        "травня травень тра", "червня червень чер", "липня липень лип", "серпня серпень сер",
        "вересня вересень вер", "жовтня жовтень жов", "листопада листопад лис",
        "грудня грудень гру",
    ],
    // Belarusian
    [
        "студзеня сту", "лютага лют", "сакавіка сак", "красавіка кра", "мая май тра",
        "чэрвеня чэр", "ліпеня ліп", "жніўня жні", "верасня вер", "кастрычніка кас",
        "лістапада ліс", "снежня сне",
    ],
    // Bulgarian
    [
        "януари яну", "февруари фев", "март мар", "април апр", "май", "юни", "юли", "август авг",
        "септември сеп", "октомври окт", "ноември ное", "декември дек",
    ],
    // Serbian and Macedonian
    [
        "јануар јан", "фебруар феб фев", "март мар", "април апр", "мај", "јун", "јул",
        "август авг", "септембар сеп", "октобар окт", "новембар нов ное", "децембар дец дек",
    ],
    // Greek
    [
        "ιανουαρίου ιαν", "φεβρουαρίου φεβ", "μαρτίου μάρ μαρ", "απριλίου απρ",
        "μαΐου μάι μάϊ μαΐ μαι μαϊ", "ιουνίου ιούν ιουν", "ιουλίου ιούλ ιουλ",
        "αυγούστου αύγ αυγ", "σεπτεμβρίου σεπτ σεπ", "οκτωβρίου οκτ", "νοεμβρίου νοέ νοε",
        "δεκεμβρίου δεκ",
    ],
    // Chinese and Japanese
    [
        "一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月",
    ],
];

#[rustfmt::skip]
const CROATIAN: [&str; 12] = [
    "siječnja sij", "veljače velj", "ožujka ožu", "travnja tra", "svibnja svi", "lipnja lip",
    "srpnja srp", "kolovoza kol", "rujna ruj", "listopada lis", "studenoga stu", "prosinca pro",
];

/// The word for the total above a listing of `ls -l` in each language.
#[rustfmt::skip]
const TOTAL: &[&str] = &[
    "celkem", "gesamt", "insgesamt", "iš", "kokku", "kopā", "razem", "samtals", "skupaj", "spolu",
    "summe", "toplam", "totaal", "total", "totale", "totalt", "ukupno", "viso", "yhteensä",
    "összesen", "σύνολο", "всего", "итого", "общо", "разам", "укупно", "усього", "合計", "合计",
    "总用量", "總用量", "總計", "총계", "합계",
];

#[cfg(test)]
mod tests {
    use super::super::charsets::encodings;
    use super::*;

    #[test]
    fn every_month_is_recognized_in_every_encoding_of_its_language() {
        for language in LANGUAGES {
            for (name, month) in names(language) {
                let upper = Some(name.to_uppercase()).filter(|upper| upper.to_lowercase() == name);
                for name in [name.to_owned(), format!("{name}.")].into_iter().chain(upper) {
                    for bytes in encodings(&name) {
                        assert_eq!(
                            parse_month_name(&bytes, false),
                            Some(month),
                            "{name} {bytes:x?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn croatian_is_recognized_by_its_unique_month_names() {
        for (name, month) in names(&CROATIAN) {
            for bytes in encodings(name) {
                assert_eq!(parse_month_name(&bytes, true), Some(month), "{name}");
            }
        }
        assert!(is_croatian(b"velj") && is_croatian("ožu".as_bytes()));
        assert!(!is_croatian(b"lip") && !is_croatian(b"may") && !is_croatian(b""));
    }

    #[test]
    fn no_name_means_two_months() {
        for (name, month) in LANGUAGES.iter().flat_map(names) {
            assert_eq!(months()[name], month, "{name}");
        }
    }

    #[test]
    fn other_words_are_not_months() {
        for word in ["", ".", "x", "janx", "5", "Jan 2", "jan13", "jan3", "\u{4e00}"] {
            assert_eq!(parse_month_name(word.as_bytes(), false), None, "{word}");
        }
        for month in ["jan0", "jan00", "jan1", "jan01", "dec2", "dec1", "dec12", "dec11"] {
            assert!(parse_month_name(month.as_bytes(), false).is_some(), "{month}");
        }
    }
}
