//! Error numbers a Linux system call returns: the generic table every arm64 kernel uses
//! (`include/uapi/asm-generic/errno.h` and `errno-base.h`), and one that slips out of the kernel. The
//! check that returns one is a [`Rule`](crate::Rule).

use core::fmt;

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// An error number. Only those the model returns have a name.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i32)]
        pub enum Errno {
            $($(#[$doc])* $name = $number,)*
        }

        impl Errno {
            /// Every named number, ascending.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name, as in `errno(3)` where that has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

errnos! {
    /// Operation not permitted.
    EPERM = 1;
    /// No such file or directory.
    ENOENT = 2;
    /// Interrupted system call.
    EINTR = 4;
    /// Input or output error.
    EIO = 5;
    /// No such device or address.
    ENXIO = 6;
    /// Bad file descriptor.
    EBADF = 9;
    /// Try again.
    EAGAIN = 11;
    /// Out of memory, or over a memory limit.
    ENOMEM = 12;
    /// Permission denied.
    EACCES = 13;
    /// Bad address.
    EFAULT = 14;
    /// Device or resource busy.
    EBUSY = 16;
    /// File exists.
    EEXIST = 17;
    /// No such device.
    ENODEV = 19;
    /// Invalid argument.
    EINVAL = 22;
    /// Too many open files.
    EMFILE = 24;
    /// Not a typewriter: unknown ioctl.
    ENOTTY = 25;
    /// No space left on device.
    ENOSPC = 28;
    /// Result not representable.
    ERANGE = 34;
    /// Value too large for its type.
    EOVERFLOW = 75;
    /// File descriptor in bad state.
    EBADFD = 77;
    /// Operation not supported.
    EOPNOTSUPP = 95;
    /// Operation not supported: a number of the kernel's own, of `include/linux/errno.h`, which no
    /// program is meant to see.
    ENOTSUPP = 524;
}

impl Errno {
    /// The positive number.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The named number equal to `number`.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|errno| errno.number() == number)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
