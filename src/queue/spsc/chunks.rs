//! Several values at a time.

use core::fmt;
use core::iter::FusedIterator;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{Consumer, Producer, raw};

impl<T> Producer<T> {
    /// The next `n` free places, with `T::default()` in each, to be written over and then
    /// committed.
    ///
    /// # Errors
    ///
    /// If there are not so many.
    ///
    /// # Panics
    ///
    /// If `T::default()` does. Nothing was pushed then.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
    /// let mut chunk = producer.write_chunk(3).unwrap();
    /// let (first, second) = chunk.as_mut_slices();
    /// for (i, value) in first.iter_mut().chain(second).enumerate() {
    ///     *value = i;
    /// }
    /// chunk.commit(2);
    /// assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(0), Some(1), None));
    /// ```
    pub fn write_chunk(&mut self, n: usize) -> Result<WriteChunk<'_, T>, ChunkError>
    where
        T: Default,
    {
        self.write_chunk_uninit(n).map(WriteChunk::from)
    }

    /// The next `n` free places, to be written to and then committed.
    ///
    /// # Errors
    ///
    /// If there are not so many.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
    /// let chunk = producer.write_chunk_uninit(3).unwrap();
    /// assert_eq!(chunk.fill_from_iter(["a", "b"]), 2);
    /// assert_eq!(consumer.pop(), Some("a"));
    /// assert!(producer.write_chunk_uninit(4).is_err());
    /// ```
    #[inline]
    pub fn write_chunk_uninit(&mut self, n: usize) -> Result<WriteChunkUninit<'_, T>, ChunkError> {
        ChunkError::check(n, self.raw.free(n))?;
        // SAFETY: there are so many free places.
        let (first, second) = unsafe { self.raw.places(n) };
        Ok(WriteChunkUninit { producer: &mut self.raw, first, second })
    }
}

impl<T> Consumer<T> {
    /// The `n` oldest values. They stay in the ring unless they are committed or iterated over.
    ///
    /// # Errors
    ///
    /// If there are not so many.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
    /// producer.push_entire_slice(&[1, 2, 3]).unwrap();
    /// let chunk = consumer.read_chunk(2).unwrap();
    /// let (first, second) = chunk.as_slices();
    /// assert_eq!(first.iter().chain(second).sum::<i32>(), 3);
    /// chunk.commit_all();
    /// assert_eq!(consumer.pop(), Some(3));
    /// ```
    #[inline]
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T>, ChunkError> {
        ChunkError::check(n, self.raw.ready(n))?;
        Ok(ReadChunk::new(&mut self.raw, n))
    }
}

/// Free places that are being filled in order. What was filled is pushed when this is dropped: also
/// by a panic.
pub(super) struct Filled<'a, T> {
    producer: &'a mut raw::Producer<T>,
    first: NonNull<[MaybeUninit<T>]>,
    second: NonNull<[MaybeUninit<T>]>,
    filled: usize,
}

impl<'a, T> Filled<'a, T> {
    /// # Panics
    ///
    /// If there are not so many free places as the producer knows.
    #[inline]
    pub(super) fn new(producer: &'a mut raw::Producer<T>, count: usize) -> Self {
        assert!(count <= producer.free(count), "lockwork: more values than there are places");
        // SAFETY: just asked.
        let (first, second) = unsafe { producer.places(count) };
        Self { producer, first, second, filled: 0 }
    }

    /// The place for the next value, while there is one.
    #[inline]
    fn next(&mut self) -> Option<&mut MaybeUninit<T>> {
        let i = self.filled;
        // SAFETY: the places are the producer's, which is borrowed, and each is in one slice.
        unsafe {
            match i.checked_sub(self.first.len()) {
                None => Some(&mut self.first.as_mut()[i]),
                Some(i) => self.second.as_mut().get_mut(i),
            }
        }
    }

    /// # Panics
    ///
    /// If there is no place left.
    #[inline]
    pub(super) fn put(&mut self, value: T) {
        self.next().expect("as many places as values").write(value);
        self.filled += 1;
    }

    /// Fills all places, of which there are as many as values.
    pub(super) fn copy(&mut self, values: &[T])
    where
        T: Copy,
    {
        let (first, second) = values.split_at(self.first.len());
        assert_eq!(second.len(), self.second.len());
        // SAFETY: as many places as values, which are somewhere else.
        unsafe {
            let (to_first, to_second) = (self.first.cast::<T>(), self.second.cast::<T>());
            to_first.copy_from_nonoverlapping(NonNull::from(first).cast(), first.len());
            to_second.copy_from_nonoverlapping(NonNull::from(second).cast(), second.len());
        }
        self.filled = values.len();
    }
}

impl<T> Drop for Filled<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.filled == 0 {
            return;
        }
        // SAFETY: so many of the places asked for hold values. Asking for them again shows the
        // model where the accesses end.
        unsafe {
            self.producer.places(self.filled);
            self.producer.publish(self.filled);
        }
    }
}

/// Free places, not filled yet: see [`Producer::write_chunk_uninit`].
///
/// ```
/// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(4);
/// let mut chunk = producer.write_chunk_uninit(3).unwrap();
/// let (first, second) = chunk.as_mut_slices();
/// first[0].write(7);
/// assert_eq!((first.len(), second.len()), (3, 0));
/// // SAFETY: the first place holds a value.
/// unsafe { chunk.commit(1) };
/// assert_eq!(producer.slots(), 3);
/// ```
#[must_use = "nothing is pushed that is not committed"]
pub struct WriteChunkUninit<'a, T> {
    producer: &'a mut raw::Producer<T>,
    first: NonNull<[MaybeUninit<T>]>,
    second: NonNull<[MaybeUninit<T>]>,
}

// SAFETY: nothing but the exclusive use of an end, which may be moved.
unsafe impl<T: Send> Send for WriteChunkUninit<'_, T> {}

impl<T> WriteChunkUninit<'_, T> {
    /// The places, the earlier ones first. What they hold is not defined.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// let mut chunk = producer.write_chunk_uninit(2).unwrap();
    /// assert_eq!(chunk.as_mut_slices().0.len(), 2);
    /// ```
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [MaybeUninit<T>], &mut [MaybeUninit<T>]) {
        // SAFETY: the places are the producer's, which is borrowed, and each is in one slice.
        unsafe { (self.first.as_mut(), self.second.as_mut()) }
    }

    /// Pushes what the first `n` places hold.
    ///
    /// # Safety
    ///
    /// They hold values.
    ///
    /// # Panics
    ///
    /// If the chunk has not so many.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// let mut chunk = producer.write_chunk_uninit(2).unwrap();
    /// chunk.as_mut_slices().0[0].write(1);
    /// // SAFETY: one value was written.
    /// unsafe { chunk.commit(1) };
    /// ```
    #[inline]
    pub unsafe fn commit(self, n: usize) {
        assert!(n <= self.len(), "lockwork: more values than the chunk has places");
        // SAFETY: so many places were free, and by the caller's contract they hold values. Asking
        // for them again shows the model where the accesses end.
        unsafe {
            self.producer.places(n);
            self.producer.publish(n);
        }
    }

    /// Pushes what all places hold.
    ///
    /// # Safety
    ///
    /// They hold values.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(1);
    /// let mut chunk = producer.write_chunk_uninit(1).unwrap();
    /// chunk.as_mut_slices().0[0].write(1);
    /// // SAFETY: there was one place.
    /// unsafe { chunk.commit_all() };
    /// ```
    #[inline]
    pub unsafe fn commit_all(self) {
        let n = self.len();
        // SAFETY: by the caller's contract.
        unsafe { self.commit(n) };
    }

    /// Pushes values of an iterator until the places or the values are used up, and says how many.
    ///
    /// # Panics
    ///
    /// If the iterator does. The values that it gave before are pushed.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring(2);
    /// let mut values = 1..;
    /// let chunk = producer.write_chunk_uninit(2).unwrap();
    /// assert_eq!(chunk.fill_from_iter(&mut values), 2);
    /// assert_eq!(values.next(), Some(3));
    /// ```
    pub fn fill_from_iter(self, values: impl IntoIterator<Item = T>) -> usize {
        let mut values = values.into_iter();
        let mut filled =
            Filled { producer: self.producer, first: self.first, second: self.second, filled: 0 };
        while filled.next().is_some() {
            let Some(value) = values.next() else { break };
            filled.put(value);
        }
        filled.filled
    }

    /// The number of places.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// assert_eq!(producer.write_chunk_uninit(2).unwrap().len(), 2);
    /// ```
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    /// Whether it has no places.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// assert!(producer.write_chunk_uninit(0).unwrap().is_empty());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> fmt::Debug for WriteChunkUninit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunkUninit").field("len", &self.len()).finish()
    }
}

/// Free places with a default value in each: see [`Producer::write_chunk`].
///
/// ```
/// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
/// let mut chunk = producer.write_chunk(2).unwrap();
/// chunk.as_mut_slices().0[1] = 7;
/// chunk.commit_all();
/// assert_eq!((consumer.pop(), consumer.pop()), (Some(0), Some(7)));
/// ```
#[must_use = "nothing is pushed that is not committed"]
pub struct WriteChunk<'a, T> {
    chunk: WriteChunkUninit<'a, T>,
    /// Places with values, from the first.
    filled: usize,
}

impl<'a, T: Default> From<WriteChunkUninit<'a, T>> for WriteChunk<'a, T> {
    /// Fills all places with `T::default()`.
    fn from(chunk: WriteChunkUninit<'a, T>) -> Self {
        let mut this = Self { chunk, filled: 0 };
        let (first, second) = this.chunk.as_mut_slices();
        for place in first.iter_mut().chain(second) {
            place.write(T::default());
            this.filled += 1;
        }
        this
    }
}

impl<T> WriteChunk<'_, T> {
    /// The values in the places, the earlier ones first.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// let mut chunk = producer.write_chunk(2).unwrap();
    /// assert_eq!(chunk.as_mut_slices().0, [0, 0]);
    /// ```
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        let (first, second) = (self.chunk.first.as_ptr(), self.chunk.second.as_ptr());
        // SAFETY: the places are the producer's, which is borrowed, each is in one slice, and all
        // hold values.
        unsafe { (&mut *(first as *mut [T]), &mut *(second as *mut [T])) }
    }

    /// Pushes what the first `n` places hold, and drops the rest.
    ///
    /// # Panics
    ///
    /// If the chunk has not so many; nothing is pushed then. If a destructor does: after the push.
    ///
    /// ```
    /// let (mut producer, consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// producer.write_chunk(2).unwrap().commit(1);
    /// assert_eq!(consumer.slots(), 1);
    /// ```
    pub fn commit(mut self, n: usize) {
        assert!(n <= self.len(), "lockwork: more values than the chunk has places");
        let (first, second) = self.as_mut_slices();
        let in_first = n.min(first.len());
        let (first, second) = (&raw mut first[in_first..], &raw mut second[n - in_first..]);
        self.filled = 0; // what is pushed, or dropped here, is not to be dropped again
        /// Pushes, also if a destructor panics, once what is not pushed is out of the way.
        struct Publish<'a, 'b, T>(&'a mut WriteChunk<'b, T>, usize);
        impl<T> Drop for Publish<'_, '_, T> {
            fn drop(&mut self) {
                // SAFETY: so many of the places asked for hold values. Asking for them again shows
                // the model where the accesses end.
                unsafe {
                    self.0.chunk.producer.places(self.1);
                    self.0.chunk.producer.publish(self.1);
                }
            }
        }
        let _publish = Publish(&mut self, n);
        // SAFETY: values behind those that are pushed, which nobody else knows of.
        unsafe { raw::drop_values(first, second) };
    }

    /// Pushes what all places hold.
    ///
    /// ```
    /// let (mut producer, consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// producer.write_chunk(2).unwrap().commit_all();
    /// assert_eq!(consumer.slots(), 2);
    /// ```
    pub fn commit_all(self) {
        let n = self.len();
        self.commit(n);
    }

    /// The number of places.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// assert_eq!(producer.write_chunk(2).unwrap().len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunk.len()
    }

    /// Whether it has no places.
    ///
    /// ```
    /// let (mut producer, _consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// assert!(producer.write_chunk(0).unwrap().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunk.is_empty()
    }
}

impl<T> Drop for WriteChunk<'_, T> {
    fn drop(&mut self) {
        let filled = core::mem::take(&mut self.filled);
        let in_first = filled.min(self.chunk.first.len());
        let (first, second) = self.chunk.as_mut_slices();
        let first = &raw mut first[..in_first] as *mut [T];
        let second = &raw mut second[..filled - in_first] as *mut [T];
        // SAFETY: so many places hold values, which were not pushed.
        unsafe { raw::drop_values(first, second) };
    }
}

impl<T> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk").field("len", &self.len()).finish()
    }
}

/// The oldest values: see [`Consumer::read_chunk`].
///
/// ```
/// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
/// producer.push_many(&mut vec!["a", "b", "c"]);
/// let chunk = consumer.read_chunk(2).unwrap();
/// assert_eq!(chunk.into_iter().collect::<String>(), "ab");
/// assert_eq!(consumer.slots(), 1);
/// ```
#[must_use = "the values stay in the ring unless they are committed or iterated over"]
pub struct ReadChunk<'a, T> {
    consumer: &'a mut raw::Consumer<T>,
    first: NonNull<[MaybeUninit<T>]>,
    second: NonNull<[MaybeUninit<T>]>,
}

// SAFETY: nothing but the exclusive use of an end, which may be moved.
unsafe impl<T: Send> Send for ReadChunk<'_, T> {}

impl<'a, T> ReadChunk<'a, T> {
    /// # Panics
    ///
    /// If there are not so many values as the consumer knows.
    #[inline]
    pub(super) fn new(consumer: &'a mut raw::Consumer<T>, count: usize) -> Self {
        assert!(count <= consumer.ready(count), "lockwork: a chunk of more values than there are");
        // SAFETY: just asked.
        let (first, second) = unsafe { consumer.values(count) };
        Self { consumer, first, second }
    }

    /// The values, the older ones first.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push(7).unwrap();
    /// assert_eq!(consumer.read_chunk(1).unwrap().as_slices().0, [7]);
    /// ```
    #[inline]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        let (first, second) = (self.first.as_ptr(), self.second.as_ptr());
        // SAFETY: values that are the consumer's, which is borrowed.
        unsafe { (&*(first as *mut [T]), &*(second as *mut [T])) }
    }

    /// The values, the older ones first, to be changed.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push(7).unwrap();
    /// consumer.read_chunk(1).unwrap().as_mut_slices().0[0] += 1;
    /// assert_eq!(consumer.pop(), Some(8));
    /// ```
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        let (first, second) = (self.first.as_ptr(), self.second.as_ptr());
        // SAFETY: values that are the consumer's, which is borrowed; each is in one slice.
        unsafe { (&mut *(first as *mut [T]), &mut *(second as *mut [T])) }
    }

    /// Drops the `n` oldest values and leaves their places to the producer.
    ///
    /// # Panics
    ///
    /// If the chunk has not so many. If a destructor does: all `n` are dropped and left all the
    /// same.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push_many(&mut vec![1, 2]);
    /// consumer.read_chunk(2).unwrap().commit(1);
    /// assert_eq!(consumer.pop(), Some(2));
    /// ```
    pub fn commit(self, n: usize) {
        assert!(n <= self.len(), "lockwork: more values than the chunk has");
        // SAFETY: so many values were there, and still are.
        unsafe { self.consumer.discard(n) };
    }

    /// Drops all values of the chunk and leaves their places to the producer.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push_many(&mut vec![1, 2]);
    /// consumer.read_chunk(2).unwrap().commit_all();
    /// assert!(consumer.is_empty());
    /// ```
    pub fn commit_all(self) {
        let n = self.len();
        self.commit(n);
    }

    /// The number of values.
    ///
    /// ```
    /// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(2);
    /// producer.push(1).unwrap();
    /// assert_eq!(consumer.read_chunk(1).unwrap().len(), 1);
    /// ```
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    /// Whether it has no values.
    ///
    /// ```
    /// let (_producer, mut consumer) = lockwork::queue::spsc::ring::<u8>(2);
    /// assert!(consumer.read_chunk(0).unwrap().is_empty());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T> IntoIterator for ReadChunk<'a, T> {
    type Item = T;
    type IntoIter = ReadChunkIntoIter<'a, T>;

    fn into_iter(self) -> ReadChunkIntoIter<'a, T> {
        let Self { consumer, first, second } = self;
        ReadChunkIntoIter { consumer, first, second, taken: 0 }
    }
}

impl<T> fmt::Debug for ReadChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunk").field("len", &self.len()).finish()
    }
}

/// The values of a [`ReadChunk`], oldest first. Those that were iterated over are left when this is
/// dropped, all at once; the others stay in the ring.
///
/// ```
/// let (mut producer, mut consumer) = lockwork::queue::spsc::ring(4);
/// producer.push_many(&mut vec![1, 2, 3]);
/// let mut values = consumer.read_chunk(3).unwrap().into_iter();
/// assert_eq!(values.next(), Some(1));
/// drop(values);
/// assert_eq!(consumer.pop(), Some(2));
/// ```
#[must_use = "iterators do nothing until they are asked"]
pub struct ReadChunkIntoIter<'a, T> {
    consumer: &'a mut raw::Consumer<T>,
    first: NonNull<[MaybeUninit<T>]>,
    second: NonNull<[MaybeUninit<T>]>,
    taken: usize,
}

// SAFETY: nothing but the exclusive use of an end, which may be moved.
unsafe impl<T: Send> Send for ReadChunkIntoIter<'_, T> {}

impl<'a, T> ReadChunkIntoIter<'a, T> {
    #[inline]
    pub(super) fn new(consumer: &'a mut raw::Consumer<T>, count: usize) -> Self {
        ReadChunk::new(consumer, count).into_iter()
    }
}

impl<T> Iterator for ReadChunkIntoIter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let i = self.taken;
        let (half, i) = match i.checked_sub(self.first.len()) {
            None => (self.first, i),
            Some(i) if i < self.second.len() => (self.second, i),
            Some(_) => return None,
        };
        self.taken += 1;
        // SAFETY: a value that is the consumer's, which is borrowed, read once and then left.
        Some(unsafe { half.cast::<T>().add(i).read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.first.len() + self.second.len() - self.taken;
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for ReadChunkIntoIter<'_, T> {}
impl<T> FusedIterator for ReadChunkIntoIter<'_, T> {}

impl<T> Drop for ReadChunkIntoIter<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.taken == 0 {
            return;
        }
        // SAFETY: so many of the values asked for were moved out. Asking for them again shows the
        // model where the accesses end.
        unsafe {
            self.consumer.values(self.taken);
            self.consumer.leave(self.taken);
        }
    }
}

impl<T> fmt::Debug for ReadChunkIntoIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunkIntoIter").field("len", &self.len()).finish()
    }
}

/// Why there is no chunk.
///
/// ```
/// use lockwork::queue::spsc::{self, ChunkError};
///
/// let (mut producer, _consumer) = spsc::ring::<u8>(2);
/// let refused = producer.write_chunk(3).unwrap_err();
/// assert_eq!(refused, ChunkError::TooFewSlots(2));
/// assert_eq!(refused.to_string(), "there are only 2 slots");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkError {
    /// Fewer places or values than were asked for; how many there are.
    TooFewSlots(usize),
}

impl ChunkError {
    #[inline]
    pub(super) fn check(wanted: usize, there: usize) -> Result<(), Self> {
        if wanted <= there { Ok(()) } else { Err(Self::TooFewSlots(there)) }
    }
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewSlots(1) => f.write_str("there is only 1 slot"),
            Self::TooFewSlots(slots) => write!(f, "there are only {slots} slots"),
        }
    }
}

impl core::error::Error for ChunkError {}
