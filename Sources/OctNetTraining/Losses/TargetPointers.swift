import OctNetData

/// What a loss compares a batch's outputs with, where it lies.
package struct TargetPointers {
  var labels = UnsafeBufferPointer<Int32>(start: nil, count: 0)
  var values = UnsafeBufferPointer<Float>(start: nil, count: 0)
  var mixed: MixedLabels?
}

extension TargetPointers {
  init(_ batch: Batch) {
    labels = UnsafeBufferPointer(start: batch.labels, count: batch.values == nil ? batch.count : 0)
    values = batch.values ?? values
    mixed = batch.mixed
  }
}
