//! The account's fields: which custom ones exist, and `contact_fields` and `company_fields` as JSON.

use serde_json::{Value, json};

/// What a custom field holds; "type" in the field endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// `custom_text`, at most 255 characters.
    Text,
    /// `custom_paragraph`.
    Paragraph,
    /// `custom_checkbox`.
    Checkbox,
    /// `custom_number`, whole.
    Number,
    /// `custom_dropdown`.
    Dropdown,
    /// `custom_phone_number`.
    Phone,
    /// `custom_url`.
    Url,
    /// `custom_date`, `YYYY-MM-DD`.
    Date,
}

impl FieldType {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "custom_text",
            Self::Paragraph => "custom_paragraph",
            Self::Checkbox => "custom_checkbox",
            Self::Number => "custom_number",
            Self::Dropdown => "custom_dropdown",
            Self::Phone => "custom_phone_number",
            Self::Url => "custom_url",
            Self::Date => "custom_date",
        }
    }
}

/// One custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    /// The key in `custom_fields`.
    pub name: String,
    /// What agents see.
    pub label: String,
    /// What it holds.
    pub kind: FieldType,
    /// The choices of a dropdown.
    pub choices: Vec<String>,
    /// Whether two records may not hold the same value.
    pub unique: bool,
    /// Whether choices are listed as objects with ids rather than as plain strings.
    pub choices_as_objects: bool,
}

impl CustomField {
    /// A field whose label is its name.
    #[must_use]
    pub fn new(name: &str, kind: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            kind,
            choices: Vec::new(),
            unique: false,
            choices_as_objects: false,
        }
    }

    /// A dropdown with these choices.
    #[must_use]
    pub fn dropdown(name: &str, choices: &[&str]) -> Self {
        Self {
            choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
            ..Self::new(name, FieldType::Dropdown)
        }
    }

    /// The same field, unique.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same field, its choices listed as objects.
    #[must_use]
    pub fn with_choice_objects(mut self) -> Self {
        self.choices_as_objects = true;
        self
    }

    fn choices(&self) -> Value {
        if !self.choices_as_objects {
            return json!(self.choices);
        }
        let rows = self.choices.iter().zip(1_u64..);
        rows.map(|(choice, n)| {
            json!({"id": 15_800_090_000 + n, "label": choice, "value": choice, "position": n})
        })
        .collect()
    }
}

/// The account's fields beyond the default ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Custom fields of contacts, in the order of the form.
    pub contact: Vec<CustomField>,
    /// Custom fields of companies, in the order of the form.
    pub company: Vec<CustomField>,
    /// Whether two contacts may not share a mobile number.
    pub unique_mobile: bool,
    /// Whether two contacts may not share a work number.
    pub unique_phone: bool,
}

impl Default for Schema {
    fn default() -> Self {
        Self {
            contact: vec![
                CustomField::dropdown("tier", &["VIP", "Standard"]),
                CustomField::new("segment", FieldType::Text),
                CustomField::new("seats", FieldType::Number),
                CustomField::new("newsletter", FieldType::Checkbox),
                CustomField::new("birthday", FieldType::Date),
                CustomField::new("crm_id", FieldType::Text).unique(),
            ],
            company: vec![
                CustomField::dropdown("plan", &["Free", "Team", "Enterprise"])
                    .with_choice_objects(),
                CustomField::new("segment", FieldType::Text),
                CustomField::new("employees", FieldType::Number),
                CustomField::new("crm_key", FieldType::Text).unique(),
            ],
            unique_mobile: false,
            unique_phone: false,
        }
    }
}

/// The choices of `health_score`.
pub(super) const HEALTH: [&str; 3] = ["At risk", "Doing okay", "Happy"];
/// The choices of `account_tier`.
pub(super) const TIERS: [&str; 3] = ["Basic", "Premium", "Enterprise"];
/// The choices of `industry`.
pub(super) const INDUSTRIES: [&str; 4] = [
    "Automotive",
    "Consumer Services",
    "Specialized Consumer Services",
    "Other",
];

const CONTACT_DEFAULTS: [(&str, &str, &str); 12] = [
    ("name", "Full name", "default_name"),
    ("job_title", "Title", "default_job_title"),
    ("email", "Email", "default_email"),
    ("phone", "Work phone", "default_phone"),
    ("mobile", "Mobile phone", "default_mobile"),
    ("twitter_id", "Twitter", "default_twitter_id"),
    (
        "unique_external_id",
        "Unique external ID",
        "default_unique_external_id",
    ),
    ("company_name", "Company", "default_company_name"),
    ("address", "Address", "default_address"),
    ("time_zone", "Time zone", "default_time_zone"),
    ("language", "Language", "default_language"),
    ("tag_names", "Tags", "default_tag_names"),
];

const COMPANY_DEFAULTS: [(&str, &str, &str); 8] = [
    ("name", "Company name", "default_name"),
    ("description", "Description", "default_description"),
    ("note", "Notes", "default_note"),
    ("domains", "Domains for this company", "default_domains"),
    ("health_score", "Health score", "default_health_score"),
    ("account_tier", "Account tier", "default_account_tier"),
    ("renewal_date", "Renewal date", "default_renewal_date"),
    ("industry", "Industry", "default_industry"),
];

impl Schema {
    /// The body of `GET /contact_fields`.
    pub(super) fn contact_fields(&self) -> Value {
        let defaults = CONTACT_DEFAULTS.iter().map(|&(name, label, kind)| {
            let unique = match name {
                "email" | "twitter_id" | "unique_external_id" => true,
                "mobile" => self.unique_mobile,
                "phone" => self.unique_phone,
                _ => false,
            };
            (name, label, kind, unique, default_choices(name))
        });
        rows(defaults, &self.contact, true)
    }

    /// The body of `GET /company_fields`.
    pub(super) fn company_fields(&self) -> Value {
        let defaults = COMPANY_DEFAULTS.iter().map(|&(name, label, kind)| {
            let unique = matches!(name, "name" | "domains");
            (name, label, kind, unique, default_choices(name))
        });
        rows(defaults, &self.company, false)
    }
}

fn default_choices(name: &str) -> Option<Value> {
    match name {
        "health_score" => Some(json!(HEALTH)),
        "account_tier" => Some(json!(TIERS)),
        "industry" => Some(json!(INDUSTRIES)),
        "language" => Some(json!({"English": "en", "German": "de", "French": "fr"})),
        "time_zone" => {
            Some(json!({"(GMT+00:00) London": "London", "(GMT+01:00) Berlin": "Berlin"}))
        }
        _ => None,
    }
}

type Default4<'a> = (&'a str, &'a str, &'a str, bool, Option<Value>);

fn rows<'a>(
    defaults: impl Iterator<Item = Default4<'a>>,
    custom: &'a [CustomField],
    customers: bool,
) -> Value {
    let custom = custom.iter().map(|field| {
        let choices = (field.kind == FieldType::Dropdown).then(|| field.choices());
        let (name, label) = (field.name.as_str(), field.label.as_str());
        (name, label, field.kind.name(), field.unique, choices)
    });
    defaults
        .map(|field| (field, true))
        .chain(custom.map(|field| (field, false)))
        .zip(1_u64..)
        .map(|((field, default), position)| row(field, default, position, customers))
        .collect()
}

fn row(field: Default4<'_>, default: bool, position: u64, customers: bool) -> Value {
    let (name, label, kind, unique, choices) = field;
    let quick = name == "name" || name == "email";
    let mut row = json!({
        "id": 158_000_040_000_u64 + position,
        "name": name,
        "label": label,
        "type": kind,
        "default": default,
        "position": position,
        "required_for_agents": name == "name",
        "agents_can_edit": true,
        "displayed_for_agents": true,
        "unique": unique,
        "created_at": "2024-01-15T09:00:00Z",
        "updated_at": "2024-01-15T09:00:00Z",
    });
    let more = json!({
        "required_for_customers": name == "name",
        "label_for_customers": label,
        "customers_can_edit": default,
        "displayed_for_customers": default,
        "editable_in_signup": quick,
        "quick_add_for_agent": quick,
    });
    if let (Value::Object(row), Value::Object(more)) = (&mut row, more) {
        row.extend(more.into_iter().filter(|_| customers));
        row.extend(choices.map(|choices| ("choices".to_owned(), choices)));
    }
    row
}
