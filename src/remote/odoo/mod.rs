//! The connector of Odoo.
