//! What the people and firms of the office are called. `shown|spelled` where the Latin spelling differs.

/// People of one country.
pub(super) struct Country {
    /// Before every telephone number: country and area code.
    pub(super) dial: &'static str,
    pub(super) given: [&'static str; 10],
    pub(super) family: [&'static str; 10],
}

#[rustfmt::skip]
pub(super) const COUNTRIES: [Country; 16] = [
    Country { dial: "+49 30", given: ["Anneliese", "Jürgen", "Katharina", "Matthias", "Svenja", "Thorsten", "Ulrike", "Björn", "Heike", "Lukas"], family: ["Müller", "Schröder", "Weiß", "von der Heide", "Krüger", "Jansen", "Böhm", "Albrecht", "Pfeiffer", "Löwe"] },
    Country { dial: "+33 1", given: ["Amélie", "Benoît", "Chloé", "Étienne", "François", "Hélène", "Loïc", "Margaux", "Rémi", "Zoé"], family: ["Lefèvre", "Dubois", "Moreau", "Garnier", "de La Tour", "Rousseau", "Chevalier", "Perrin", "Gauthier", "Noël"] },
    Country { dial: "+34 91", given: ["Ana María", "Iñaki", "Lucía", "Sofía", "Álvaro", "Joaquín", "Nuria", "Óscar", "Pilar", "Raúl"], family: ["García Márquez", "Fernández", "Núñez", "Ibáñez", "Ortega", "Castaño", "Vidal", "Peña", "Serrano", "Muñoz"] },
    Country { dial: "+48 22", given: ["Agnieszka", "Bartosz", "Dorota", "Grzegorz", "Katarzyna", "Łukasz", "Małgorzata", "Paweł", "Wojciech", "Zofia"], family: ["Wójcik", "Kowalczyk", "Zieliński", "Szymańska", "Dąbrowski", "Jabłoński", "Król", "Pawlak", "Górski", "Sikora"] },
    Country { dial: "+44 20", given: ["Alistair", "Beatrice", "Callum", "Eleanor", "Fiona", "Graham", "Imogen", "Nigel", "Rhiannon", "Saoirse"], family: ["Ashworth", "Blackwood", "O'Connor", "Fairchild", "Hargreaves", "Llewellyn", "McKenzie", "Pemberton", "Thackeray", "Whitlock"] },
    Country { dial: "+234 1", given: ["Adaeze", "Babajide", "Chinonso", "Damilola", "Emeka", "Folasade", "Ifeoma", "Kelechi", "Ngozi", "Tunde"], family: ["Okafor", "Adeyemi", "Balogun", "Eze", "Nwosu", "Oyelaran", "Abubakar", "Chukwu", "Danjuma", "Olatunji"] },
    Country { dial: "+91 80", given: ["Aarav", "Bhavana", "Deepika", "Harish", "Ishaan", "Kavitha", "Lakshmi", "Meera", "Rohan", "Sanjay"], family: ["Iyer", "Chatterjee", "Deshpande", "Gupta", "Krishnamurthy", "Mehta", "Nair", "Patel", "Reddy", "Subramaniam"] },
    Country { dial: "+81 3", given: ["Akiko", "Daisuke", "Emi", "Haruto", "Keiko", "Naoki", "Ren", "Sakura", "Takeshi", "Yumi"], family: ["Fujimoto", "Hayashi", "Ishikawa", "Kobayashi", "Matsuda", "Nakamura", "Ōno", "Sasaki", "Tanaka", "Yamaguchi"] },
    Country { dial: "+55 11", given: ["Beatriz", "Caetano", "Débora", "Fábio", "Gabriela", "João Pedro", "Letícia", "Márcio", "Thaís", "Vinícius"], family: ["de Souza", "Gonçalves", "Araújo", "Nascimento", "Magalhães", "Pires", "Rocha", "Falcão", "Teixeira", "Brandão"] },
    Country { dial: "+1 415", given: ["Ashley", "Brandon", "Carmen", "DeShawn", "Emily", "Hector", "Jasmine", "Kyle", "Monique", "Tyler"], family: ["Abernathy", "Baptiste", "Castillo", "Donovan", "Freeman", "Goldberg", "Huang", "Jefferson", "Nguyen", "Ramirez"] },
    Country { dial: "+90 212", given: ["Ayşe", "Burak", "Çağla", "Emre", "Gülşen", "İbrahim", "Özlem", "Selin", "Şükrü", "Yiğit"], family: ["Yılmaz", "Öztürk", "Çelik", "Kaya", "Doğan", "Şahin", "Aydın", "Güneş", "Koç", "Tekin"] },
    Country { dial: "+46 8", given: ["Åsa", "Björn", "Elin", "Göran", "Håkan", "Ingrid", "Linnéa", "Måns", "Sören", "Tuva"], family: ["Åkesson", "Bergström", "Ekdahl", "Hägg", "Lindqvist", "Nyström", "Öberg", "Sjögren", "Wallin", "Östlund"] },
    Country { dial: "+380 44", given: ["Олена|Olena", "Тарас|Taras", "Оксана|Oksana", "Богдан|Bohdan", "Ірина|Iryna", "Андрій|Andrii", "Наталія|Nataliia", "Юрій|Yurii", "Марта|Marta", "Остап|Ostap"], family: ["Шевченко|Shevchenko", "Коваль|Koval", "Бондар|Bondar", "Мельник|Melnyk", "Ткач|Tkach", "Кравець|Kravets", "Лисенко|Lysenko", "Марчук|Marchuk", "Савчук|Savchuk", "Гнатюк|Hnatiuk"] },
    Country { dial: "+30 21", given: ["Ελένη|Eleni", "Νίκος|Nikos", "Μαρία|Maria", "Γιώργος|Giorgos", "Κατερίνα|Katerina", "Δημήτρης|Dimitris", "Σοφία|Sofia", "Αντώνης|Antonis", "Δάφνη|Dafni", "Πέτρος|Petros"], family: ["Παπαδάκης|Papadakis", "Αγγελοπούλου|Angelopoulou", "Βλάχος|Vlachos", "Καρράς|Karras", "Μακρής|Makris", "Νικολάου|Nikolaou", "Ράλλης|Rallis", "Σταύρου|Stavrou", "Φωτίου|Fotiou", "Χατζής|Chatzis"] },
    Country { dial: "+82 2", given: ["Eun-ji", "Hyun-woo", "Ji-hye", "Jun-seo", "Min-jun", "Seo-yeon", "Soo-jin", "Tae-yang", "Yoon-ah", "Woo-jin"], family: ["Kim", "Park", "Choi", "Jeong", "Kang", "Yoon", "Lim", "Han", "Shin", "Kwon"] },
    Country { dial: "+212 5", given: ["Amina", "Bilal", "Fatima-Zahra", "Hicham", "Khadija", "Mehdi", "Nawal", "Rachid", "Salma", "Youssef"], family: ["Benali", "Chraibi", "El Amrani", "Haddad", "Idrissi", "Lahlou", "Mansouri", "Ouazzani", "Tazi", "Zeroual"] },
];

#[rustfmt::skip]
pub(super) const FIRM_FIRST: [&str; 40] = [
    "Nordwind", "Halcyon", "Bluepeak", "Sankofa", "Kestrel", "Aurora", "Monsoon", "Redwood", "Vesper", "Ironbridge",
    "Lumen", "Cardamom", "Polaris", "Saffron", "Tidewater", "Umbra", "Wildflower", "Zephyr", "Alder", "Basalt",
    "Corvus", "Driftwood", "Ember", "Foxglove", "Granite", "Heron", "Indigo", "Juniper", "Kaleido", "Larkspur",
    "Meridian", "Nimbus", "Obsidian", "Pinecrest", "Quarry", "Rookery", "Solstice", "Thistle", "Upland", "Verdant",
];

#[rustfmt::skip]
pub(super) const FIRM_LAST: [&str; 20] = [
    "Logistics", "Textiles", "Robotics", "Foods", "Instruments", "Energy", "Publishing", "Ceramics", "Marine", "Software",
    "Optics", "Pharma", "Bikes", "Coffee", "Travel", "Timber", "Acoustics", "Toys", "Insurance", "Farms",
];

#[rustfmt::skip]
pub(super) const TITLES: [&str; 16] = [
    "Head of Purchasing", "Office Manager", "IT Administrator", "Chief Financial Officer", "Plant Manager", "Buyer",
    "Operations Lead", "Product Manager", "Managing Director", "Quality Engineer", "Accountant", "Support Coordinator",
    "Data Analyst", "Logistics Planner", "Marketing Manager", "Site Engineer",
];
