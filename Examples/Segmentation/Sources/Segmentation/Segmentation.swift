import Foundation
import OctNet

/// Trains an octave U-Net on generated shapes and tells its mean intersection over union: `swift run segmentation [α]`.
@main struct Segmentation {
  static let batchSize = 8
  static let epochs = 12

  static func main() throws {
    let alpha = CommandLine.arguments.dropFirst().first.map { Double($0) ?? -1 } ?? 0.25
    guard (0...0.75).contains(alpha) else {
      FileHandle.standardError.write(Data("usage: segmentation [α from 0 to 0.75]\n".utf8))
      exit(64)
    }
    let (training, test) = (Shapes(count: 1200, seed: 1), Shapes(count: 200, seed: 2))
    let shape = MapShape(height: Shapes.side, width: Shapes.side, channels: 3)
    let unet = OctaveUNet(channels: [16, 32, 64], alpha: alpha, classes: Shapes.names.count)
    let network = try Network(inputShape: shape, seed: 1) { try unet($0) }
    let threads = min(ProcessInfo.processInfo.activeProcessorCount, 8)
    let session = try TrainingSession(
      network: network, batchSize: batchSize, threads: threads, loss: DiceLoss())
    let optimizer = Optimizer(
      parameters: network.parameters, configuration: .adamW, weightDecay: 1e-4, excludeNormsAndBiases: true,
      threads: threads)
    let schedule = LearningRateSchedule(base: 4e-3, shape: .cosine)

    let clock = ContinuousClock()
    let start = clock.now
    var dice = SplitMix64(state: 3)
    let steps = training.images.count / batchSize
    for epoch in 0..<epochs {
      let order = training.images.indices.shuffled(using: &dice)
      var loss = 0.0
      for step in 0..<steps {
        let batch = order[step * batchSize..<(step + 1) * batchSize]
        let result = try session.step(
          images: batch.flatMap { training.images[$0] }, labels: batch.flatMap { training.labels[$0] },
          updating: optimizer,
          learningRate: schedule.rate(step: epoch * steps + step, stepsPerEpoch: steps, epochs: epochs))
        loss += Double(result.loss) / Double(steps)
      }
      let scores = try intersectionOverUnion(network, test, threads: threads)
      let seconds = Double((clock.now - start) / .seconds(1))
      print(
        String(
          format: "epoch %d  loss %.3f  mean IoU %.3f  %.0f s", epoch + 1, loss,
          scores.reduce(0, +) / Double(scores.count), seconds))
    }
    let scores = try intersectionOverUnion(network, test, threads: threads)
    for (name, score) in zip(Shapes.names, scores) { print(String(format: "%@: IoU %.3f", name, score)) }
  }

  /// Pixels of a class that are right, of those that are or are called so.
  static func intersectionOverUnion(
    _ network: Network, _ shapes: Shapes, threads: Int
  ) throws -> [Double] {
    let session = try InferenceSession(network: network, batchSize: 1, threads: threads)
    let classes = Shapes.names.count
    var confusion = [[Int]](repeating: [Int](repeating: 0, count: classes), count: classes)
    for (image, labels) in zip(shapes.images, shapes.labels) {
      let logits = try session.logits(images: image)
      for (pixel, label) in labels.enumerated() {
        let row = logits[pixel * classes..<(pixel + 1) * classes]
        let prediction = row.indices.max { row[$0] < row[$1] }.map { $0 - row.startIndex } ?? 0
        confusion[Int(label)][prediction] += 1
      }
    }
    return (0..<classes).map { index in
      let called = confusion.reduce(0) { $0 + $1[index] }
      let union = confusion[index].reduce(0, +) + called - confusion[index][index]
      return Double(confusion[index][index]) / Double(max(1, union))
    }
  }
}
