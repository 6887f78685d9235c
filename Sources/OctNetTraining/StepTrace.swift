import OctNetCore
import OctNetData
import OctNetSupport

/// How the time of one step passes.
package struct StepTrace: Sendable {
  /// Seconds from the images to the loss.
  package let forward: Double
  /// Seconds from there to the last gradient.
  package let backward: Double
  /// Floats of each parameter, with the seconds from backward's beginning to its gradient.
  package let gradients: [(range: Range<Int>, seconds: Double)]
}

extension TrainingSession {
  /// A step without an update, and its times.
  package func trace(
    images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, count: Int, in parameters: ParameterStore
  ) -> StepTrace {
    let clock = ContinuousClock()
    var gradients: [(range: Range<Int>, seconds: Double)] = []
    let start = clock.now
    var turn = start
    _ = step(
      images: images, targets: targetPointers(labels, nil, count: count), count: count, dropoutSeed: 0
    ) { _ in
      turn = clock.now
      return UpdateQueue(waits: true) { parameter, _ in
        gradients.append((parameters.entries[parameter.index].range, (clock.now - turn).inSeconds))
        return nil
      } run: { _ in
      }
    }
    return StepTrace(
      forward: (turn - start).inSeconds, backward: (clock.now - turn).inSeconds, gradients: gradients)
  }
}
