//! Heights of rows, and the sums above them: a Fenwick tree over whole physical pixels.
//!
//! Whole pixels, because sums of them are exact: what is held in its place is held to the pixel, however often heights
//! change. Reading or changing one height, the sum above a row, and the row at a height take O(log n).

/// Heights in physical pixels, by index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heights {
    values: Vec<i64>,
    /// One-based: `tree[i]` is the sum of the `i & -i` values that end with the `i`-th.
    tree: Vec<i64>,
}

impl Heights {
    /// Takes heights over, none negative, in O(n).
    pub(crate) fn new(values: Vec<i64>) -> Self {
        let mut tree = vec![0; values.len() + 1];
        for (index, value) in values.iter().enumerate() {
            let node = index + 1;
            tree[node] += value;
            let parent = node + lowest_bit(node);
            if parent < tree.len() {
                tree[parent] += tree[node];
            }
        }
        Self { values, tree }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Changes one.
    pub(crate) fn set(&mut self, index: usize, value: i64) {
        let difference = value - self.values[index];
        self.values[index] = value;
        let mut node = index + 1;
        while node < self.tree.len() {
            self.tree[node] += difference;
            node += lowest_bit(node);
        }
    }

    /// The sum of all before this one.
    pub(crate) fn above(&self, index: usize) -> i64 {
        let mut sum = 0;
        let mut node = index;
        while node > 0 {
            sum += self.tree[node];
            node -= lowest_bit(node);
        }
        sum
    }

    /// The sum of all.
    pub(crate) fn total(&self) -> i64 {
        self.above(self.len())
    }

    /// Which one lies at a height: the last whose upper edge is not below `y`. The first for what lies above all, the
    /// last for what lies below; none only where there are none.
    pub(crate) fn at(&self, y: i64) -> Option<usize> {
        let mut node = 0;
        let mut left = y;
        let mut step = self.len().checked_ilog2().map_or(0, |log| 1usize << log);
        while step > 0 {
            let next = node + step;
            if next < self.tree.len() && self.tree[next] <= left {
                node = next;
                left -= self.tree[next];
            }
            step /= 2;
        }
        self.len().checked_sub(1).map(|last| node.min(last))
    }
}

fn lowest_bit(node: usize) -> usize {
    node & node.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_no_height() {
        let none = Heights::new(Vec::new());
        assert_eq!((none.len(), none.total(), none.at(0)), (0, 0, None));
    }

    proptest! {
        #[test]
        fn sums_and_places_are_those_of_a_plain_list(
            mut values in prop::collection::vec(0i64..500, 1..80),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0i64..500), 0..40),
            y in -50i64..20_000,
        ) {
            let mut heights = Heights::new(values.clone());
            for (index, value) in changes {
                let index = index.index(values.len());
                values[index] = value;
                heights.set(index, value);
            }
            for index in 0..=values.len() {
                prop_assert_eq!(heights.above(index), values[..index].iter().sum::<i64>());
            }
            prop_assert_eq!(heights.total(), values.iter().sum::<i64>());
            let plain = (0..values.len()).rev().find(|index| values[..*index].iter().sum::<i64>() <= y).unwrap_or(0);
            prop_assert_eq!(heights.at(y), Some(plain));
        }
    }
}
