//! What is known of the standard attributes, and where a field of `sync.toml` sits in the vendor's
//! JSON.

use crate::model::{COMPANY, Kind};
use crate::remote::Shape;

/// What a custom field's name begins with in `sync.toml`.
pub(super) const CUSTOM: &str = "custom_fields.";

/// The place of a field in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A key of the record itself.
    Own(&'a str),
    /// A key of its `custom_fields`.
    Custom(&'a str),
}

impl<'a> Place<'a> {
    pub(super) fn of(field: &'a str) -> Self {
        if field == COMPANY {
            return Self::Own("company_id");
        }
        field
            .strip_prefix(CUSTOM)
            .map_or(Self::Own(field), Self::Custom)
    }
}

/// A standard attribute ("Contact attributes" and "Company attributes" of the API reference).
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) shape: Shape,
    /// Whether a request may hold it.
    pub(super) writable: bool,
    /// Whether the system insists on it being unique, whatever the metadata say.
    pub(super) unique: bool,
    /// Whether every account has it, also where the metadata do not name it.
    pub(super) everywhere: bool,
}

impl Attribute {
    const fn new(name: &'static str, label: &'static str, shape: Shape) -> Self {
        Self {
            name,
            label,
            shape,
            writable: true,
            unique: false,
            everywhere: true,
        }
    }

    const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    const fn by_plan(mut self) -> Self {
        self.everywhere = false;
        self
    }

    const fn read_only(mut self) -> Self {
        self.writable = false;
        self
    }
}

static CONTACT: [Attribute; 18] = [
    Attribute::new("name", "Name", Shape::Text),
    Attribute::new("email", "Email", Shape::Text).unique(),
    Attribute::new("phone", "Work phone", Shape::Text),
    Attribute::new("mobile", "Mobile phone", Shape::Text),
    Attribute::new("twitter_id", "Twitter id", Shape::Text).unique(),
    Attribute::new("unique_external_id", "Unique external id", Shape::Text).unique(),
    Attribute::new("job_title", "Title", Shape::Text),
    Attribute::new("address", "Address", Shape::Text),
    Attribute::new("description", "About", Shape::Text),
    Attribute::new("language", "Language", Shape::Choice(Vec::new())).by_plan(),
    Attribute::new("time_zone", "Time zone", Shape::Choice(Vec::new())).by_plan(),
    Attribute::new("tags", "Tags", Shape::List),
    Attribute::new("other_emails", "Other emails", Shape::List),
    Attribute::new(
        "view_all_tickets",
        "Can see all tickets of the company",
        Shape::Boolean,
    ),
    Attribute::new("company_id", "Company", Shape::Number).read_only(),
    Attribute::new("active", "Verified portal user", Shape::Boolean).read_only(),
    Attribute::new("created_at", "Created at", Shape::DateTime).read_only(),
    Attribute::new("updated_at", "Updated at", Shape::DateTime).read_only(),
];

static COMPANY_ATTRIBUTES: [Attribute; 10] = [
    Attribute::new("name", "Company name", Shape::Text).unique(),
    Attribute::new("description", "Description", Shape::Text),
    Attribute::new("note", "Notes", Shape::Text),
    Attribute::new("domains", "Domains", Shape::List),
    Attribute::new("health_score", "Health score", Shape::Choice(Vec::new())).by_plan(),
    Attribute::new("account_tier", "Account tier", Shape::Choice(Vec::new())).by_plan(),
    Attribute::new("industry", "Industry", Shape::Choice(Vec::new())).by_plan(),
    Attribute::new("renewal_date", "Renewal date", Shape::Date).by_plan(),
    Attribute::new("created_at", "Created at", Shape::DateTime).read_only(),
    Attribute::new("updated_at", "Updated at", Shape::DateTime).read_only(),
];

/// The standard attributes of `kind`.
pub(super) fn all(kind: Kind) -> &'static [Attribute] {
    match kind {
        Kind::Contact => &CONTACT,
        Kind::Company => &COMPANY_ATTRIBUTES,
    }
}

/// The standard attribute `name` of `kind`.
pub(super) fn named(kind: Kind, name: &str) -> Option<&'static Attribute> {
    all(kind).iter().find(|attribute| attribute.name == name)
}

/// Whether `field` is shown by a single read and never by a list ("List All Contacts").
pub(super) fn needs_single_read(kind: Kind, field: &str) -> bool {
    kind == Kind::Contact && matches!(field, "tags" | "other_emails" | "view_all_tickets")
}
