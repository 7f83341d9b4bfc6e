//! The checks of system calls on descriptors, memory and limits.

use passim_model::rules;

rules! {
    /// EINVAL.
    NO_PROCESS = "no-process",
        "The process exists and has not ended.",
        "a limit of this model, not of a kernel: nobody calls from beyond";
    /// EBADF.
    BAD_FD = "bad-fd",
        "The descriptor is open, and open for this kind of call.",
        "measured on 6.1 and 6.12";
    /// EFAULT.
    USER_FAULT = "user-fault",
        "User memory a call reads or writes is mapped with that access, and in front of its file's end.",
        "measured on 6.1 and 6.12: what was copied before the fault stays";
    /// ENOMEM.
    NO_FREE_FRAME = "no-free-frame",
        "A page that appears finds a free frame, and a huge page a free block.",
        "a limit of this model, not of a kernel, which would reclaim first";
    /// EINVAL.
    MMAP_RANGE = "mmap-range",
        "An area starts on a page and is not empty; one of huge pages starts and ends on one.",
        "6.12 mmap(2)";
    /// ENOMEM or EINVAL.
    MMAP_OUTSIDE = "mmap-outside",
        "An area lies inside the user address space.",
        "6.12 mmap(2): ENOMEM; munmap(2): EINVAL";
    /// EINVAL.
    HUGE_PAGE_SPLIT = "huge-page-split",
        "An area of huge pages is cut only between them.",
        "6.12 mm: hugetlb areas refuse any other split";
    /// ENOMEM.
    RANGE_HAS_HOLE = "range-has-hole",
        "Every page of the range belongs to an area; areas in front of a hole are changed all the same.",
        "6.12 mprotect(2), mlock(2)";
    /// EPERM.
    MLOCK_NOT_ALLOWED = "mlock-not-allowed",
        "Locking needs a limit above 0, or CAP_IPC_LOCK.",
        "6.12 mlock(2)";
    /// ENOMEM.
    MEMLOCK_LIMIT = "memlock-limit",
        "Pages pinned and locked stay within RLIMIT_MEMLOCK in whole pages, unless CAP_IPC_LOCK is held.",
        "measured on 6.1 and 6.12: a refused mlock counts nothing";
    /// ENOMEM.
    MLOCK_POPULATE = "mlock-populate",
        "Every page of a range that becomes locked can be made present; the range stays locked if not.",
        "6.12 mlock(2)";
}
