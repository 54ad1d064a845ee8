//! Files and folders for Vega alone: making them, checking who else may change them, and reading text from them. Their
//! contents are decided elsewhere.

mod file_error;

mod changeable;
mod private;
pub(crate) mod process_lock;
pub(crate) mod text_file;

pub use changeable::{Place, refuse_if_others_may_change, refuse_if_others_than_may_change};
pub use file_error::FileError;
pub(crate) use file_error::io;
pub use private::create_private_dir;
pub(crate) use private::{
    create_private, link, open_private, private_options, refuse_if_open_beyond, refuse_if_open_to_others,
    refuse_open_one, sync_folder_of,
};
