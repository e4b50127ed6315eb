//! What strangers send before they have proved anything, and what must be true of whatever they send. `cargo xtask fuzz` looks for something
//! of which it is not; the test here looks near the seeds, the same way every time.

pub mod authorization_requests;
pub mod documents;
pub mod proofs;
pub mod token_requests;
pub mod tokens;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    type Run = fn(&[u8]);

    /// Numbers that look as if they were random (Marsaglia's xorshift), the same every time.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
        }
    }

    /// Something near it: a byte is another, is gone, comes twice, or a part of another seed takes its place.
    fn near(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(bytes.len());
            match numbers.below(5) {
                0 if !bytes.is_empty() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.insert(at, *bytes.get(at).unwrap_or(&0)),
                3 => bytes.truncate(at),
                _ => {
                    let from = numbers.below(other.len());
                    let part = &other[from..(from + numbers.below(64)).min(other.len())];
                    bytes.splice(at..at, part.iter().copied());
                }
            }
        }
        bytes
    }

    #[test]
    fn it_is_true_of_what_is_near_the_seeds() {
        let targets: [(&str, Run); 5] = [
            ("authorization-requests", super::authorization_requests::run),
            ("documents", super::documents::run),
            ("proofs", super::proofs::run),
            ("token-requests", super::token_requests::run),
            ("tokens", super::tokens::run),
        ];
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for (name, run) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
            let mut files: Vec<_> = fs::read_dir(&folder)
                .unwrap()
                .map(|file| file.unwrap().path())
                .collect();
            files.sort();
            let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
            assert!(seeds.len() > 2, "{name}");
            for seed in &seeds {
                run(seed);
                for _ in 0..400 {
                    let other = &seeds[numbers.below(seeds.len())];
                    run(&near(seed, other, &mut numbers));
                }
            }
        }
    }
}
