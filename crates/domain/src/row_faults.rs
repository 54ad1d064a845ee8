//! Rows of the database that are not the last version that Vega wrote. How they are found is the store's to say.

/// What does not fit in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFaults {
    /// Why the database as a whole counts for nothing until the operator accepts it.
    pub database: Option<String>,
    /// Each row that counts for nothing.
    pub rows: Vec<RowFault>,
}

impl RowFaults {
    /// Whether everything fits.
    pub fn is_none(&self) -> bool {
        self.database.is_none() && self.rows.is_empty()
    }
}

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// `changed`, `put_back` or `gone`.
    pub kind: &'static str,
    /// Which row, and what is wrong with it, in words.
    pub words: String,
    /// Tells this state of the row from others that do not fit either.
    pub state: String,
}
