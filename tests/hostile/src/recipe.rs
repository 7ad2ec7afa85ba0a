//! Bytes of nothing in particular as a source of choices.

/// What is left of the bytes; choices beyond their end are all zero.
pub(crate) struct Recipe<'d> {
    data: &'d [u8],
}

impl<'d> Recipe<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self { data }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.data.split_first() {
            Some((first, rest)) => {
                self.data = rest;
                *first
            }
            None => 0,
        }
    }

    /// True once in `of` times for bytes of equal likelihood, and never for what is not there.
    pub(crate) fn rarely(&mut self, of: u8) -> bool {
        self.byte() % of == of - 1
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// At most `most` bytes.
    pub(crate) fn bytes(&mut self, most: u8) -> &'d [u8] {
        let length = usize::from(self.byte() % (most + 1)).min(self.data.len());
        let (taken, rest) = self.data.split_at(length);
        self.data = rest;
        taken
    }

    /// A path: mostly one of a few, sometimes with any bytes in it.
    pub(crate) fn path(&mut self) -> Vec<u8> {
        const PATHS: [&[u8]; 10] = [
            b"pkg/core.cpython-314t-x86_64-linux-gnu.so",
            b"pkg/core.so",
            b"pkg/core.pyd",
            b"pkg-1.0/core.c",
            b"pkg-1.0.data/platlib/pkg/core.so",
            b"pkg-1.0.dist-info/RECORD",
            b"pkg-1.0.dist-info/METADATA",
            b"pkg-1.0/setup.py",
            b"core.so",
            b"pkg/\xc3\xa9.so",
        ];
        let mut path = PATHS[usize::from(self.byte()) % PATHS.len()].to_vec();
        if self.rarely(3) {
            const PARTS: [&[u8]; 10] = [b"/", b"\\", b"\0", b"../", b"./", b"//", b".txt", b"\xff", b" ", b""];
            let part = PARTS[usize::from(self.byte()) % PARTS.len()];
            let part = if part.is_empty() { self.bytes(12) } else { part };
            let at = usize::from(self.byte()) % (path.len() + 1);
            path.splice(at..at, part.iter().copied());
        }
        path
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}
