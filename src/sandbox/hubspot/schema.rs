//! The properties of contacts and companies: what they are called, what they take, who may write them.

use std::collections::HashMap;
use std::fmt::{self, Display};

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `contacts`, object type `0-1`.
    Contact,
    /// `companies`, object type `0-2`.
    Company,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Contact, Self::Company];

    /// The kind that a path segment names.
    pub(super) fn from_path(segment: &str) -> Option<Self> {
        match segment {
            "contacts" | "contact" | "0-1" => Some(Self::Contact),
            "companies" | "company" | "0-2" => Some(Self::Company),
            _ => None,
        }
    }

    pub(super) const fn singular(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }

    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
        }
    }

    pub(super) const fn type_id(self) -> &'static str {
        match self {
            Self::Contact => "0-1",
            Self::Company => "0-2",
        }
    }

    /// The property that moves with every change; it is not called the same on both.
    #[must_use]
    pub const fn modified_property(self) -> &'static str {
        match self {
            Self::Contact => "lastmodifieddate",
            Self::Company => "hs_lastmodifieddate",
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plural())
    }
}

/// What a property's value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Anything.
    Text,
    /// An address; `email` alone.
    Email,
    /// A telephone number, kept as typed.
    Phone,
    /// A decimal number.
    Number,
    /// A day, answered as `2026-11-22`.
    Date,
    /// A time, answered as ISO 8601 with milliseconds.
    DateTime,
    /// `true` or `false`.
    Bool,
    /// One of the options.
    Choice,
    /// Some of the options, joined by `;`.
    Choices,
}

impl ValueType {
    /// `type` and `fieldType` of the metadata.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Text | Self::Email => ("string", "text"),
            Self::Phone => ("string", "phonenumber"),
            Self::Number => ("number", "number"),
            Self::Date => ("date", "date"),
            Self::DateTime => ("datetime", "date"),
            Self::Bool => ("bool", "booleancheckbox"),
            Self::Choice => ("enumeration", "select"),
            Self::Choices => ("enumeration", "checkbox"),
        }
    }
}

/// Where a property's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Stored,
    Id,
    Created,
    Modified,
    PrimaryCompany,
    MergedIds,
}

/// The place of a property in its schema.
pub(super) type Slot = u16;

/// One property.
#[expect(
    clippy::struct_excessive_bools,
    reason = "as many yes-or-no facts as the vendor's metadata has"
)]
#[derive(Debug, Clone)]
pub struct Property {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) value_type: ValueType,
    pub(super) group: String,
    pub(super) options: Vec<(String, String)>,
    pub(super) read_only: bool,
    pub(super) unique: bool,
    pub(super) archived: bool,
    pub(super) built_in: bool,
    pub(super) source: Source,
    pub(super) slot: Slot,
}

impl Property {
    /// A property that people made, of this type. `name` in lower case.
    #[must_use]
    pub fn new(name: &str, label: &str, value_type: ValueType) -> Self {
        Self {
            name: name.to_lowercase(),
            label: label.to_owned(),
            value_type,
            group: String::new(),
            options: Vec::new(),
            read_only: false,
            unique: false,
            archived: false,
            built_in: false,
            source: Source::Stored,
            slot: 0,
        }
    }

    /// With these options: value and label.
    #[must_use]
    pub fn options(mut self, options: &[(&str, &str)]) -> Self {
        self.options = options
            .iter()
            .map(|(value, label)| ((*value).to_owned(), (*label).to_owned()))
            .collect();
        self
    }

    /// Nobody may write it over the API.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// No two records share a value; usable as `idProperty`.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Archived: listed with `archived=true`, no longer readable or writable.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.archived = true;
        self
    }

    fn of(mut self, source: Source) -> Self {
        self.source = source;
        self.read_only = true;
        self
    }
}

/// The properties of one kind.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) kind: Kind,
    properties: Vec<Property>,
    by_name: HashMap<String, Slot>,
}

impl Schema {
    pub(super) fn new(kind: Kind) -> Self {
        let mut schema = Self {
            kind,
            properties: Vec::new(),
            by_name: HashMap::new(),
        };
        let own = match kind {
            Kind::Contact => contact_properties(),
            Kind::Company => company_properties(),
        };
        for mut property in own.into_iter().chain(shared_properties(kind)) {
            // Two of them stand for what every account has made for itself.
            property.built_in = !matches!(property.name.as_str(), "customer_tier" | "plan");
            schema.add(property);
        }
        schema
    }

    /// Adds a property, or replaces the one of that name.
    pub(super) fn add(&mut self, mut property: Property) {
        if property.group.is_empty() {
            property.group = format!("{}information", self.kind.singular());
        }
        if let Some(known) = self.by_name.get(&property.name) {
            property.slot = *known;
            if let Some(place) = self.properties.get_mut(usize::from(*known)) {
                *place = property;
            }
            return;
        }
        property.slot = Slot::try_from(self.properties.len()).unwrap_or(Slot::MAX);
        self.by_name.insert(property.name.clone(), property.slot);
        self.properties.push(property);
    }

    /// The property of this name, unless it is archived.
    pub(super) fn get(&self, name: &str) -> Option<&Property> {
        let found = match self.by_name.get(name) {
            Some(slot) => self.at(*slot),
            None => self.at(*self.by_name.get(&name.to_lowercase())?),
        };
        found.filter(|property| !property.archived)
    }

    pub(super) fn at(&self, slot: Slot) -> Option<&Property> {
        self.properties.get(usize::from(slot))
    }

    pub(super) fn all(&self) -> &[Property] {
        &self.properties
    }

    /// What a read shows: the asked ones that exist, the rest silently left out, and always the
    /// id and the two dates; without a wish the default set. In alphabetical order.
    pub(super) fn columns(&self, wanted: &[&str]) -> Vec<&Property> {
        let default: &[&str] = match self.kind {
            Kind::Contact => &["email", "firstname", "lastname"],
            Kind::Company => &["domain", "name"],
        };
        let wanted = if wanted.is_empty() { default } else { wanted };
        let always = ["hs_object_id", "createdate", self.kind.modified_property()];
        let names = wanted.iter().chain(&always);
        let mut columns: Vec<&Property> = names.filter_map(|name| self.get(name)).collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        columns.dedup_by_key(|property| property.slot);
        columns
    }
}

fn text(name: &str, label: &str) -> Property {
    Property::new(name, label, ValueType::Text)
}

fn shared_properties(kind: Kind) -> Vec<Property> {
    let date = ValueType::DateTime;
    vec![
        Property::new("hs_object_id", "Record ID", ValueType::Number).of(Source::Id),
        Property::new("createdate", "Create Date", date).of(Source::Created),
        Property::new(kind.modified_property(), "Last Modified Date", date).of(Source::Modified),
        text("hs_merged_object_ids", "Merged record IDs").of(Source::MergedIds),
        Property::new("lifecyclestage", "Lifecycle Stage", ValueType::Choice).options(&[
            ("subscriber", "Subscriber"),
            ("lead", "Lead"),
            ("marketingqualifiedlead", "Marketing Qualified Lead"),
            ("salesqualifiedlead", "Sales Qualified Lead"),
            ("opportunity", "Opportunity"),
            ("customer", "Customer"),
            ("evangelist", "Evangelist"),
            ("other", "Other"),
        ]),
        Property::new("phone", "Phone Number", ValueType::Phone),
        text("address", "Street Address"),
        text("city", "City"),
        text("state", "State/Region"),
        text("zip", "Postal Code"),
        text("country", "Country/Region"),
        text("website", "Website URL"),
        Property::new("annualrevenue", "Annual Revenue", ValueType::Number),
        Property::new("hubspot_owner_id", "Owner", ValueType::Number),
    ]
}

fn contact_properties() -> Vec<Property> {
    vec![
        Property::new("email", "Email", ValueType::Email).unique(),
        text("firstname", "First Name"),
        text("lastname", "Last Name"),
        text("jobtitle", "Job Title"),
        text("company", "Company Name"),
        Property::new("mobilephone", "Mobile Phone Number", ValueType::Phone),
        text("hs_additional_emails", "Additional email addresses").read_only(),
        Property::new(
            "associatedcompanyid",
            "Primary Company ID",
            ValueType::Number,
        )
        .of(Source::PrimaryCompany),
        Property::new("customer_tier", "Customer tier", ValueType::Choice)
            .options(&[("vip", "VIP"), ("standard", "Standard")]),
        Property::new("hs_lead_status", "Lead Status", ValueType::Choice).options(&[
            ("NEW", "New"),
            ("OPEN", "Open"),
            ("IN_PROGRESS", "In Progress"),
            ("CONNECTED", "Connected"),
            ("UNQUALIFIED", "Unqualified"),
        ]),
        Property::new("hs_buying_role", "Buying Role", ValueType::Choices).options(&[
            ("DECISION_MAKER", "Decision Maker"),
            ("BUDGET_HOLDER", "Budget Holder"),
            ("END_USER", "End User"),
        ]),
        Property::new("newsletter", "Newsletter", ValueType::Bool),
        Property::new("customer_since", "Customer since", ValueType::Date),
        Property::new("next_activity", "Next activity", ValueType::DateTime),
        text("message", "Message"),
    ]
}

fn company_properties() -> Vec<Property> {
    vec![
        text("name", "Company name"),
        text("domain", "Company Domain Name"),
        text("plan", "Plan"),
        text("description", "Description"),
        Property::new(
            "numberofemployees",
            "Number of Employees",
            ValueType::Number,
        ),
        Property::new("industry", "Industry", ValueType::Choice).options(&[
            ("COMPUTER_SOFTWARE", "Computer Software"),
            ("FINANCIAL_SERVICES", "Financial Services"),
            ("MACHINERY", "Machinery"),
            ("RETAIL", "Retail"),
        ]),
        Property::new("type", "Type", ValueType::Choice).options(&[
            ("PROSPECT", "Prospect"),
            ("PARTNER", "Partner"),
            ("RESELLER", "Reseller"),
            ("VENDOR", "Vendor"),
            ("OTHER", "Other"),
        ]),
    ]
}
