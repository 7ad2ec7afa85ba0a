//! Where memory that exists at run time only lies: every kind has a range of its own, far from any image, so that an address tells
//! what it is.

/// The ranges for one pointer width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    /// The end of what an image may occupy.
    pub(crate) image_end: u64,
    imports: u64,
    import_size: u64,
    text: u64,
    objects: u64,
    object_size: u64,
    stack: u64,
    stack_end: u64,
    thread: u64,
    /// Where a return from the init function goes.
    pub(crate) exit: u64,
}

/// What an address outside the image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    /// An import, and the offset into it.
    Import(u32, u64),
    /// Text that the interpreter provides.
    Text(u64),
    /// An object made at run time, and the offset into it.
    Object(u32, u64),
    /// The stack.
    Stack,
    /// The thread's control block and TLS, by offset.
    Thread(u64),
}

impl Space {
    pub(crate) fn new(pointer: u8) -> Self {
        if pointer == 8 {
            Self {
                image_end: 0x7f00_0000_0000,
                imports: 0x7f10_0000_0000,
                import_size: 0x1000,
                text: 0x7f1f_0000_0000,
                objects: 0x7f20_0000_0000,
                object_size: 0x1_0000,
                stack: 0x7f40_0000_0000,
                stack_end: 0x7f40_0100_0000,
                thread: 0x7f60_0000_0000,
                exit: 0x7f70_0000_0000,
            }
        } else {
            Self {
                image_end: 0xd000_0000,
                imports: 0xd000_0000,
                import_size: 0x1000,
                text: 0xdfff_0000,
                objects: 0xe000_0000,
                object_size: 0x4000,
                stack: 0xf000_0000,
                stack_end: 0xf100_0000,
                thread: 0xf800_0000,
                exit: 0xfff0_0000,
            }
        }
    }

    pub(crate) fn region(&self, address: u64) -> Option<Region> {
        if address >= self.exit {
            None
        } else if address >= self.thread {
            Some(Region::Thread(address - self.thread))
        } else if address >= self.stack {
            (address < self.stack_end).then_some(Region::Stack)
        } else if address >= self.objects {
            let offset = address - self.objects;
            Some(Region::Object(u32::try_from(offset / self.object_size).ok()?, offset % self.object_size))
        } else if address >= self.text {
            Some(Region::Text(address - self.text))
        } else if address >= self.imports {
            let offset = address - self.imports;
            Some(Region::Import(u32::try_from(offset / self.import_size).ok()?, offset % self.import_size))
        } else {
            None
        }
    }

    pub(crate) fn import(&self, index: u32) -> u64 {
        self.imports + u64::from(index) * self.import_size
    }

    pub(crate) fn object(&self, index: u32) -> u64 {
        self.objects + u64::from(index) * self.object_size
    }

    /// How many objects there is room for.
    pub(crate) fn object_count(&self) -> u64 {
        ((self.stack - self.objects) / self.object_size).min(u64::from(u32::MAX))
    }

    /// Where imports lie.
    pub(crate) fn imports(&self) -> (u64, u64) {
        (self.imports, self.text)
    }

    /// How many imports there is room for.
    pub(crate) fn import_count(&self) -> u64 {
        (self.text - self.imports) / self.import_size
    }

    /// Where the stack pointer starts: some room above for arguments.
    pub(crate) fn stack_top(&self) -> u64 {
        self.stack_end - 0x1_0000
    }

    /// The thread pointer: `fs:0`, `gs:0`, `TPIDR_EL0`.
    pub(crate) fn thread_pointer(&self) -> u64 {
        self.thread + 0x10_0000
    }

    /// The TLS block of the image.
    pub(crate) fn thread_local(&self) -> u64 {
        self.thread + 0x20_0000
    }

    pub(crate) fn text(&self) -> u64 {
        self.text
    }
}
