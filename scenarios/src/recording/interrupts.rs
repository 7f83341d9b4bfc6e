//! Lines of `/proc/interrupts`.

/// The columns of one numbered line. Names of chips and hardware numbers depend on the kernel and
/// are not interpreted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterruptLine {
    /// Linux interrupt number.
    pub irq: u32,
    /// Number of interrupts, one count per CPU.
    pub counts: Vec<u64>,
    /// The interrupt chip, such as `ITS-PCI-MSI-0000:00:01.0` or `GICv3`.
    pub chip: String,
    /// The chip's number for the interrupt.
    pub hwirq: u64,
    /// `Level` or `Edge`.
    pub trigger: String,
    /// The name it was requested under.
    pub name: String,
}

impl InterruptLine {
    /// Splits a line; `None` for one without a number, such as `IPI0:` or `Err:`, or with columns
    /// missing.
    pub fn parse(line: &str) -> Option<Self> {
        let (irq, rest) = line.split_once(':')?;
        let irq = irq.trim().parse().ok()?;
        let mut words = rest.split_whitespace().peekable();
        let mut counts = Vec::new();
        while let Some(count) = words.peek().and_then(|word| word.parse().ok()) {
            counts.push(count);
            words.next();
        }
        let chip = words.next()?.to_owned();
        let hwirq = words.next()?.parse().ok()?;
        let trigger = words.next()?.to_owned();
        let name = words.collect::<Vec<_>>().join(" ");
        Some(Self { irq, counts, chip, hwirq, trigger, name })
    }

    /// Whether it is a message-signalled interrupt, by its chip's name.
    pub fn is_msi(&self) -> bool {
        self.chip.contains("MSI")
    }
}

#[cfg(test)]
mod tests;
