from .packed_training import PackedTraining as PackedTraining
from .packing_speed import measure_packing as measure_packing
