// A program of check-dependency.sh that only serves: OctNetInference brings models, checkpoints and sessions alone.
import OctNetInference

let model = ModelConfiguration(name: "resnet20", alpha: 0.25, classes: 10)
let network = try model.makeNetwork(seed: 1)
let session = try InferenceSession(network: network, batchSize: 2, threads: 2)
let images = (0..<2 * network.inputShape.count).map { Float($0 % 7) / 7 }
let logits = session.logits(images: images, count: 2)
precondition(logits.count == 20 && logits.allSatisfy(\.isFinite), "found \(logits)")
print("logits of \(logits.count / 10) images")
