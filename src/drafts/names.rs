//! First names that are common where the desk's languages are spoken.

/// In lower case. None that is a word or a product as well (Will, Mark, Grace, Chase, Ruby).
const FIRST_NAMES: &str = "aaron abigail adam adrian agnes ahmed aisha alain alan albert alejandro \
    alessandro alex alexander alexandra alice alicia alina amandine amelia amina ana anders andrea \
    andreas andrew andré anders angela anja anna anne anneliese anette antoine anton antonia antonio \
    arjun arthur asha astrid axel barbara beatrice beatriz benedikt benjamin bernard bernd beth \
    bianca birgit björn bob brendan brian brigitte bruno camille carla carlos carmen carol carolin \
    caroline catherine cecilia cédric celia charles charlotte chloé chris christian christina \
    christine christoph christophe claire clara claudia clément colette colin conor cristina dagny \
    dan daniel daniela david deborah delphine denise dennis devika diana diego dieter dietmar dmitri \
    dominik dorothy edith eduardo edward edwin elena eleni eliane elisa elisabeth elizabeth elke ella \
    ellen elsa emil emilia emily emma emmanuel enrique eric erik erika ernst esther eva evelyn fabian \
    fabien farah fatima felix femi fernando fiona florian françois françoise frank franz fred \
    frédéric freya friedrich gabriel gabriela gareth geoffrey georg george gerald gerhard gesa giulia \
    gloria gonzalo gregory greta guillaume gustav gwen hamza hanna hannah hannes hans harald harriet \
    harry hassan heather hector heidi heike heinrich helen helena helga henrik henry hermann hilde \
    holger hugh hugo ian ibrahim ignacio ines inga inge ingo ingrid irene iris isabel isabella isabelle \
    ivan jacob jacques jakob james jan jana jane jason javier jean jeff jennifer jens jeremy jérôme \
    jessica jim joachim joan joao joe joel johan johanna johannes john jonas jonathan jordi jorge josé \
    josef josefine joseph joshua juan judith julia julian julie julien jürgen jörg kai karen karin karl \
    karla karsten katharina kathrin katie katja keith kenneth kerstin kevin khalid klaus konrad kurt \
    lars laura laurent léa leila lena leo leon leonie lisa lorenz lotte louis louise luca lucas lucia \
    lucie lucy luis luisa lukas luke lydia magda maja manfred manuel manuela marc marcel marco marcus \
    margaret margit maria marie marina mario marion marius markus marlene marta martha martin martina \
    mary mateo mathias mathieu mathilde matteo matthew matthias maurice max maxime mehmet melanie mia \
    michael michaela michel michelle miguel mika mike mina miriam mohamed mohammed moira monica monika \
    monique moritz murat nadia nadine natalia natalie nathan nicholas nicolas nicole nils nina noah nora \
    norbert olaf oliver olivia olivier oscar oskar otto pablo pascal patricia patrick paul paula pauline \
    pedro peter petra philip philipp philippe pia pierre priya rachel rafael rainer ralf ralph raphael \
    ravi raymond rebecca regina reinhard renate rené ricardo richard rita robert roberto robin roland \
    rolf romain ronald rosa rosalind rosemary rüdiger rudolf ruth sabine sally sam samir samuel sandra \
    sanjay sara sarah sascha saskia sebastian serge sergio silke silvia simon simone sofia sonja sophia \
    sophie sorcha stefan stefanie stephan stephanie stephen steve steven stuart susan susanne suzanne \
    sven sylvia sylvie tanja tatjana ted teresa theo theresa thierry thomas thorsten tim tobias toby tom \
    tomasz torsten tristan udo ulf ulrich ulrike ursula uta uwe valentin valerie vera verena véronique \
    victor victoria viktor vincent virginie volker walter wendy werner wilhelm william wolfgang xavier \
    yann yannick yasmin yusuf yves yvonne zoe";

/// Whether a word in lower case is such a name.
pub(super) fn is_first_name(word: &str) -> bool {
    static NAMES: std::sync::LazyLock<std::collections::HashSet<&str>> =
        std::sync::LazyLock::new(|| FIRST_NAMES.split_whitespace().collect());
    NAMES.contains(word)
}
