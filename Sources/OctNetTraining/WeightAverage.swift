import CKernels
import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// Exponential moving average of a network's parameters and running statistics (Polyak, Juditsky 1992).
///
/// average += (1 − d)·(weights − average) after every update, d = min(decay, (1 + t) / (10 + t)) after t updates: the
/// first ones count less than a fixed decay would make them (as in TensorFlow's and timm's implementations).
final class WeightAverage {
  let decay: Double
  /// Evaluated and saved in place of the network in training.
  let network: Network
  /// For the next call; results do not depend on it.
  var threads: Int

  /// Begins at the weights that `network` has now.
  init(of network: Network, decay: Double, threads: Int) {
    self.decay = decay
    self.threads = threads
    self.network = Network(copying: network)
  }

  /// - Parameter updates: of the weights so far, this one not counted.
  func update(from source: Network, updates: Int) {
    let decay = min(decay, Double(1 + updates) / Double(10 + updates))
    let (own, other) = (network.parameters, source.parameters)
    for (count, from, to) in [
      (own.count, other.values, own.values), (own.stateCount, other.states, own.states),
    ] {
      let status = oct_axpby(count, Float(1 - decay), from, Float(decay), to, Int32(threads))
      precondition(status == OCT_OK, "a size the kernel refuses")
    }
    network.counters = source.counters
  }
}
