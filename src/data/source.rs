//! Sets that can be fetched: their files, their check sums, where copies are.

use super::Size;
use super::idx::{CLASSES, FILES};

/// A set that [`fetch`](super::fetch) brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The set's name, and its directory's in the [`Store`](super::Store).
    pub name: String,
    /// Each file's name without `.gz`, and the SHA-256 of its unpacked content in lower-case
    /// hexadecimal digits.
    pub files: Vec<(String, String)>,
    /// Addresses below which the files are, as `<file>.gz`, in the order to try them.
    ///
    /// They are plain HTTP by choice: that needs no cryptography but the check sums, and those
    /// guard the content.
    pub mirrors: Vec<String>,
}

/// Names, sizes and classes of the sets that can be fetched.
pub(super) const NAMES: [&str; 2] = ["mnist", "fashion-mnist"];

/// The size that [`NAMES`] share.
pub(super) const SIZE: Size = Size { samples: 70_000, features: 784, outputs: CLASSES };

impl Source {
    /// The source called `name`, or `None` when there is none.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "mnist" => Some(Self::mnist()),
            "fashion-mnist" => Some(Self::fashion_mnist()),
            _ => None,
        }
    }

    /// Handwritten digits, 28 x 28 pixels, 60,000 to train and 10,000 to test (LeCun, Bottou,
    /// Bengio & Haffner 1998, doi:10.1109/5.726791).
    pub fn mnist() -> Self {
        let sums = [
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ];
        let mirrors = [
            "http://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://storage.googleapis.com/cvdf-datasets/mnist/",
        ];
        Self::new("mnist", sums, &mirrors)
    }

    /// Articles of clothing in the layout of MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747).
    pub fn fashion_mnist() -> Self {
        let sums = [
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ];
        Self::new(
            "fashion-mnist",
            sums,
            &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
        )
    }

    fn new(name: &str, sums: [&str; 4], mirrors: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            files: FILES
                .iter()
                .zip(sums)
                .map(|(file, sum)| ((*file).to_owned(), sum.to_owned()))
                .collect(),
            mirrors: mirrors.iter().map(|&mirror| mirror.to_owned()).collect(),
        }
    }
}

/// The command that brings the set `name`.
pub(super) fn command(name: &str) -> String {
    format!("equilux data fetch {name}")
}

/// The classes' names of the set `name`, if it is one of [`NAMES`].
pub(super) fn classes(name: &str) -> Option<Vec<String>> {
    const FASHION: [&str; CLASSES] = [
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ];
    match name {
        "fashion-mnist" => Some(FASHION.iter().map(|&class| class.to_owned()).collect()),
        "mnist" => Some((0..CLASSES).map(|class| class.to_string()).collect()),
        _ => None,
    }
}
